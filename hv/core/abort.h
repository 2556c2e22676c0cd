/* Stage-2 aborts: device accesses, and accesses to nothing. */
#pragma once
#include "hv/core/exit.h"

enum exit_answer abort_data(const struct exit *exit);
enum exit_answer abort_instruction(const struct exit *exit);
