/* All of a guest but its RAM: every vCPU, the virtual GIC and the devices. hv keeps exactly one, works on it in place,
 * and hands a copy to the host when it stops; the state hash is a hash of this struct and of RAM.
 *
 * Registers that the CPU holds while the guest runs (everything from sp_el0 on) are written back by vcpu_save. Bits
 * that depend on the machine's own clock (CNTV_CTL_EL0.ISTATUS) are recomputed from guest time, so that equal guests
 * have equal bytes. The hash of this layout is in every trace: to change it is to change GUEST_MACHINE_VERSION, and it
 * grows at its end only (guest_state_bytes). Fixed width, no pointers, padding named and zero. */
#pragma once
#include "hv/abi/machine.h"
#include <stddef.h>
#include <stdint.h>

/* What a trace needs to be replayed: the behaviour of everything that hv emulates, and the layout of struct
 * guest_state. A change that makes an older trace replay differently gets a new number, and asks
 * hv_boot.machine_version where the two part:
 *   1  the first
 *   2  the guest's counters begin at GUEST_COUNTER_START; CNTPCT_EL0 is no event, and polled without traps
 *      (hv/core/patch.c); reads of ID registers trap
 *   3  several vCPUs, which take turns (hv/core/turn.c)
 *   4  virtio devices (hv/core/virtio_bus.c), firmware in flash */
#define GUEST_MACHINE_VERSION 4

enum { GUEST_BREAKPOINT_COUNT = 6, GUEST_WATCHPOINT_COUNT = 4, GUEST_LR_COUNT = 4 };

/* The registers of one vCPU; names as in the Arm ARM. x .. pstate are what an exit saves, in world.S's order. */
struct vcpu_state {
	uint64_t x[31];
	uint64_t pc;
	uint64_t pstate;
	uint64_t sp_el0, sp_el1;
	uint64_t elr_el1, spsr_el1, esr_el1, far_el1, afsr0_el1, afsr1_el1, par_el1;
	uint64_t vbar_el1, sctlr_el1, cpacr_el1, ttbr0_el1, ttbr1_el1, tcr_el1, mair_el1, amair_el1, contextidr_el1;
	uint64_t tpidr_el0, tpidrro_el0, tpidr_el1, csselr_el1;
	uint64_t cntkctl_el1, cntv_ctl_el0, cntv_cval_el0;
	uint64_t cntp_ctl_el0, cntp_cval_el0; /* emulated */
	uint64_t fpcr, fpsr;
	uint64_t v[64]; /* V0 low, V0 high, V1 low, … */

	/* debug registers: trapped, kept here, and live in the CPU too. DISR_EL1 is none, and has the place of one */
	uint64_t mdscr_el1, osdlr_el1, oslsr_el1, osdtrrx_el1, osdtrtx_el1, disr_el1, mdccint_el1, dbgclaim;
	uint64_t dbgbvr[GUEST_BREAKPOINT_COUNT], dbgbcr[GUEST_BREAKPOINT_COUNT];
	uint64_t dbgwvr[GUEST_WATCHPOINT_COUNT], dbgwcr[GUEST_WATCHPOINT_COUNT];

	/* the virtual PMU: its cycle counter counts guest instructions */
	uint64_t pmcr_el0, pmcntenset_el0, pmintenset_el1, pmovsset_el0, pmuserenr_el0, pmselr_el0, pmccfiltr_el0;
	uint64_t pmccntr_base; /* PMCCNTR_EL0 = base + N while counting, base while not */

	/* the CPU interface of the virtual GIC */
	uint64_t ich_vmcr, ich_ap0r0, ich_ap1r0, ich_hcr;
	uint64_t ich_lr[GUEST_LR_COUNT];

	uint32_t power;    /* enum vcpu_power */
	uint32_t stepping; /* enum below: see hv/core/debug.c */
};

enum vcpu_power { VCPU_OFF = 0, VCPU_ON = 1 };

enum {
	VCPU_PASSING = 1,     /* it steps over a breakpoint or watchpoint that EL1 has masked, or a false hit */
	VCPU_MASKED_STEP = 2, /* its last software step was one that EL1 had masked */
	VCPU_FOLLOWING = 4,   /* with VCPU_PASSING: it did, and is stepped on to the end of its exclusive sequence */
};

enum { PL011_FIFO_BYTES = 16 };

/* PL011 (ARM DDI 0183): its registers, and the receive FIFO. */
struct pl011_state {
	uint32_t lcr_h, ibrd, fbrd, cr, ifls, imsc, ris, dmacr, ilpr, rsr;
	uint32_t rx_first, rx_count; /* of rx, a ring */
	uint8_t rx[PL011_FIFO_BYTES];
};

/* PL031 (ARM DDI 0224). The clock reads rtc_base_s + guest seconds + offset_s. */
struct pl031_state {
	uint64_t offset_s; /* modulo 2^32 in what the guest reads */
	uint32_t match, load, imsc, ris;
};

/* One interrupt of the virtual GIC. */
struct virq {
	uint8_t enabled;
	uint8_t pending; /* latched: an edge, an SGI, or a write to ISPENDR */
	uint8_t level;   /* the line, for level-sensitive ones */
	uint8_t active;  /* 0, or 1 with the priority that it was acknowledged at in bits 7:3 */
	uint8_t priority;
	uint8_t edge;  /* 1: edge-triggered */
	uint8_t group; /* 1: group 1 */
	uint8_t lr;    /* vCPU + 1 that it is active on (0: on none), and VIRQ_LR_PENDING */
};

enum { VIRQ_LR_PENDING = 0x80 }; /* it is pending in a list register, as vgic_flush put it there */

enum { VGIC_PRIVATE_COUNT = 32, VGIC_SPI_COUNT = GUEST_INTID_COUNT - VGIC_PRIVATE_COUNT };

struct vgic_redist_state {
	struct virq irq[VGIC_PRIVATE_COUNT];
	uint32_t waker;
	uint32_t lr_used; /* a bit for each list register that vgic_flush filled and vgic_fold has not taken back */
	uint64_t live;    /* a bit for each of irq that is active, or enabled and pending */
};

/* Where the truth about pending and active interrupts is. */
enum vgic_stage {
	VGIC_FOLDED = 0,  /* in struct virq alone */
	VGIC_FLUSHED = 1, /* in ich_lr too */
	VGIC_LOADED = 2,  /* in the CPU's list registers, which the guest may have changed */
};

struct vgic_state {
	uint32_t ctlr;
	uint32_t stage; /* enum vgic_stage, of the running vCPU */
	struct virq spi[VGIC_SPI_COUNT];
	uint64_t irouter[VGIC_SPI_COUNT];
	uint64_t spi_live[VGIC_SPI_COUNT / 64]; /* a bit for each of spi, as vgic_redist_state.live */
	struct vgic_redist_state redist[GUEST_VCPU_MAX];
};

enum { GUEST_PATCH_COUNT = 64, GUEST_HEAT_COUNT = 64 };

/* The words of RAM in which hv has an instruction of its own instead of the guest's (hv/core/patch.c), and how often
 * instructions that may become one have trapped (hv/core/counter.c). Both decide where the guest exits, and each exit
 * clears its exclusive monitor. */
struct patch_state {
	uint64_t word_ipa[GUEST_PATCH_COUNT]; /* 0: none */
	uint8_t heat[GUEST_HEAT_COUNT];
};

/* Whose turn it may be: hv/core/turn.c. */
struct turn_state {
	uint8_t waits[GUEST_VCPU_MAX]; /* 1: it gave its turn away in a WFI, and has had none since */
};

/* A split virtqueue (VIRTIO 1.2, 2.7). Indexes are modulo 2^16, as in the rings. */
struct virtqueue_state {
	uint64_t desc, driver, device; /* IPAs of the descriptor table, the available and the used ring */
	uint16_t size, ready;
	uint16_t next;      /* of the available ring: the next entry that the device takes */
	uint16_t used;      /* of the used ring: the next entry that it writes */
	uint16_t batch_end; /* a disk's: the first entry after those that it is at work on */
	uint16_t zero[3];
};

enum { VIRTIO_QUEUES_MAX = 2 };

/* A virtio device behind its MMIO transport (VIRTIO 1.2, 4.2.2). */
struct virtio_state {
	uint64_t driver_features;
	uint64_t deadline_ns; /* guest time when a disk is done with its batch; 0: it has none */
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	uint32_t status, interrupt, zero;
	struct virtqueue_state queue[VIRTIO_QUEUES_MAX];
};

struct guest_state {
	uint64_t n;       /* position: instructions retired */
	uint64_t idle_ns; /* guest time is n + idle_ns */
	uint64_t check;   /* rolling hash over the registers at every asynchronous exit */
	uint32_t vcpu_count;
	uint32_t current; /* vCPU that runs */
	struct vcpu_state vcpu[GUEST_VCPU_MAX];
	struct vgic_state vgic;
	struct pl011_state uart;
	struct pl031_state rtc;
	struct patch_state patch;                       /* from machine version 2 on */
	struct turn_state turn;                         /* from machine version 3 on */
	struct virtio_state virtio[GUEST_VIRTIO_COUNT]; /* from machine version 4 on */
};

/* How much of struct guest_state a guest of that machine version has; the rest is zero. */
static inline size_t guest_state_bytes(uint64_t machine_version)
{
	if (machine_version < 2)
		return offsetof(struct guest_state, patch);
	if (machine_version < 3)
		return offsetof(struct guest_state, turn);
	return machine_version < 4 ? offsetof(struct guest_state, virtio) : sizeof(struct guest_state);
}
