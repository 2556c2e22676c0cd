/* The guest's GICv3: the state of every interrupt, and what of it stands in the list registers.
 *
 * The distributor and the redistributors are emulated (vgicd.h, vgicr.h, both on vgic_bank.h); the CPU interface is
 * hardware, fed through vcpu_state.ich_lr and ich_hcr, which the caller copies from and to ICH_LR<n>_EL2 and
 * ICH_HCR_EL2.
 *
 *   exit ──> vgic_fold ──> anything else of the vgic: registers, lines, SGIs, vgic_has_pending ──> vgic_flush ──> entry
 *
 * 1. Between fold and flush struct virq is the whole truth and the list registers are empty: fold again and nothing
 *    happens. Nothing but vgic_fold may be called for a vCPU after the guest has run on it.
 * 2. All of it is a function of struct guest_state: same state, same calls, same bytes. No function here can fail.
 * 3. Bit i of a live bitmap is set exactly if that interrupt is active, or enabled and pending (vgic_irq_changed).
 *
 * One security state, affinity routing always on, no LPIs; vCPU i has affinity 0.0.0.i. Source: GICv3 manual (IHI
 * 0069), and QEMU's hw/intc/arm_gicv3_*.c where the manual leaves a choice. */
#pragma once
#include "hv/abi/guest_state.h"
#include <stdbool.h>
#include <stdint.h>

/* Told of each interrupt that vgic_flush newly makes pending in a list register of `vcpu` (an index). */
typedef void vgic_inject_fn(uint32_t vcpu, uint32_t intid, uint8_t priority);

/* The state after a cold reset: every interrupt disabled and of group 0, redistributors asleep, SGIs edge-triggered,
 * all others level-sensitive, SPIs routed to vCPU 0, and every vCPU's ICH registers as the hardware has them then. */
void vgic_reset(struct guest_state *guest);

/* The CPU interface of one vCPU after a reset of that CPU; what the redistributor keeps for it stays. */
void vgic_reset_cpu(struct vcpu_state *vcpu);

/* Sets the input line of a PPI (16 to 31, of `vcpu`) or SPI (`vcpu` is ignored). The rising edge latches an
 * edge-triggered interrupt. For GUEST_INTID_VTIMER, whose list registers are bound to the physical interrupt: the
 * guest's end of interrupt lowers the line (at vgic_fold), to be raised again if the timer still fires. If the guest
 * makes it pending by ISPENDR while it is active, it comes again only at the first exit after its end. */
void vgic_set_level(struct guest_state *guest, uint32_t vcpu, uint32_t intid, bool level);

/* The guest's write of ICC_SGI1R_EL1 on `from_vcpu`: makes the SGI pending on every target where it is of group 1.
 * Targets that do not exist are ignored. Source: IHI 0069, 12.2.17 and table 4-3. */
void vgic_sgi(struct guest_state *guest, uint32_t from_vcpu, uint64_t icc_sgi1r);

/* Takes what the guest did in ich_lr[] and ICH_HCR_EL2.EOIcount, as read back from the hardware, into struct virq and
 * empties the list registers. EOIcount deactivates interrupts that were active outside of the list registers, highest
 * priority first: exact unless a guest with EOImode 1 deactivates them in another order. */
void vgic_fold(struct guest_state *guest, uint32_t vcpu);

/* Fills ich_lr[] and ICH_HCR_EL2's own bits (trap controls are kept) for the next entry of `vcpu`, and calls `injected`
 * as said at vgic_inject_fn, in ascending order of priority value and INTID. Requests a maintenance interrupt where the
 * guest could otherwise miss something that did not fit. Call it at every entry. */
void vgic_flush(struct guest_state *guest, uint32_t vcpu, vgic_inject_fn *injected);

/* Whether an interrupt would be signalled to the guest now: pending and not active, enabled, its group enabled in
 * GICD_CTLR and ICH_VMCR_EL2, above the priority mask and the running priority. Call it between fold and flush. */
bool vgic_has_pending(const struct guest_state *guest, uint32_t vcpu);

/* Whether the CPU would take a virtual interrupt at its next instruction: a list register signals one and PSTATE does
 * not mask it. Only looks at ich_lr, ich_vmcr, ich_ap<n>r0 and pstate, as read from the CPU at an exit; changes
 * nothing. */
bool vgic_lr_deliverable(const struct vcpu_state *cpu);

/* ---- for the other vgic files ---- */

/* The interrupt `intid` (below GUEST_INTID_COUNT) as `vcpu` sees it. */
struct virq *vgic_irq(struct vgic_state *vgic, uint32_t vcpu, uint32_t intid);
const struct virq *vgic_irq_const(const struct vgic_state *vgic, uint32_t vcpu, uint32_t intid);

/* Pending by its latch or, if level-sensitive, by its line; enabled or not. */
bool vgic_irq_pending(const struct virq *irq);

/* Keeps invariant 3: to be called after every change of an interrupt's enabled, pending, level, active or edge. */
void vgic_irq_changed(struct vgic_state *vgic, uint32_t vcpu, uint32_t intid);

/* The lowest live INTID from `from` on, of those that `vcpu` can see; GUEST_INTID_COUNT if there is none. */
uint32_t vgic_next_live(const struct vgic_state *vgic, uint32_t vcpu, uint32_t from);
