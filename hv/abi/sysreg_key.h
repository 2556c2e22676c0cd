/* How events and tables name a system register. */
#pragma once

/* op0:op1:CRn:CRm:op2 as in bits 20 to 5 of MSR and MRS (Arm ARM C6.2.228). */
#define SYSREG_KEY(op0, op1, crn, crm, op2) (((op0)&3) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
