/* PSCI 1.1 (Arm DEN 0022) by HVC and SMC. */
#pragma once
#include "hv/core/exit.h"

enum exit_answer psci_call(const struct exit *exit);
