/* Trapped system registers: one table (sysreg.def), default deny. */
#pragma once
#include "hv/abi/sysreg_key.h"
#include "hv/core/exit.h"
#include <stdbool.h>

/* Whether reads of ID registers trap: from machine version 2 on. */
bool sysreg_id_registers_trap(void);
/* MSR or MRS. What is not in the table is UNDEFINED to the guest, and logged as a table row. */
enum exit_answer sysreg_access(const struct exit *exit);
/* AArch32 EL0 has no register that traps here and that it may use: UNDEFINED. */
enum exit_answer sysreg_aarch32(const struct exit *exit);
