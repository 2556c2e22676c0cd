/* The virtual GIC of the running vCPU: hv/dev/vgic's state against the CPU's list registers, read and written only when
 * something needs it. While the guest runs the list registers are the truth; interrupts_fold takes it back. */
#pragma once
#include "hv/abi/types.h"
#include "hv/dev/vgic.h"
#include <stdbool.h>
#include <stdint.h>

/* Takes what the guest did with its list registers into the virtual GIC's state. Cheap if that is known already. */
void interrupts_fold(void);
/* Sets a device's or timer's line; folds. */
void interrupts_set_level(uint32_t intid, bool level);
/* The line as it was set last. */
bool interrupts_level(uint32_t vcpu, uint32_t intid);
/* Sets the line of the virtual timer, which is in hardware, for the current guest time. */
void interrupts_sample_vtimer(void);
/* Chooses what goes into the list registers; `injected` is called for each newly pending interrupt. */
void interrupts_flush(vgic_inject_fn *injected);
/* Writes the list registers; call last before the guest is entered. */
void interrupts_load(void);
/* Whether the list registers hold all that there is, so that interrupts_flush and interrupts_load would do nothing. */
bool interrupts_are_loaded(void);
/* Brings struct vcpu_state's ICH registers up to date, for a stop. */
void interrupts_save(void);
/* Writes all of the virtual CPU interface, for a guest that was put back. */
void interrupts_restore(void);
/* Whether an interrupt would wake the guest; folds. */
bool interrupts_pending(void);
/* Whether the CPU would take a virtual interrupt before the guest's next instruction. Changes nothing. */
bool interrupts_deliverable(void);
/* Whether the guest acknowledged or ended an interrupt since its list registers were last loaded or saved; saves. */
bool interrupts_acknowledged(void);
/* Whether the guest has enabled the interrupt. */
bool interrupts_enabled(uint32_t vcpu, uint32_t intid);

/* Physical interrupts (BOARD_IRQ_*) were acknowledged: those that stay silent until interrupts_load are marked as such.
 * They are kept, from wherever hv took them, until the run loop has acted on them. */
void interrupts_taken_add(uint32_t irqs);
uint32_t interrupts_taken(void);
void interrupts_taken_forget(void);
