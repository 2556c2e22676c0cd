/* The registers of a GICv3 as the guest sees them (GICD, GICR) and as hv fills them (ICH), each fact once.
 *
 * Offsets and fields are those of the GICv3 manual (IHI 0069): chapters 12.9 (GICD), 12.10 and 12.11 (GICR), 12.4
 * (ICH), 12.2.17 (ICC_SGI1R). Values that a manual leaves to the implementer are those of QEMU's virt board without
 * secure mode (hw/intc/arm_gicv3_dist.c, arm_gicv3_redist.c, gicv3_internal.h). */
#pragma once
#include "hv/abi/field.h"
#include "hv/abi/machine.h"

/* Interrupt numbers: SGIs are 0 to 15, PPIs to 31, SPIs from there. */
enum { INTID_PPI_FIRST = 16, INTID_SPI_FIRST = 32 };

/* Priorities have five bits. */
enum { VGIC_PRIORITY_MASK = 0xf8, VGIC_PRIORITY_IDLE = 0xff };

/* Registers that the distributor and the SGI frame of a redistributor have alike. */
enum {
	GIC_IGROUPR = 0x080,
	GIC_ISENABLER = 0x100,
	GIC_ICENABLER = 0x180,
	GIC_ISPENDR = 0x200,
	GIC_ICPENDR = 0x280,
	GIC_ISACTIVER = 0x300,
	GIC_ICACTIVER = 0x380,
	GIC_BITS_END = 0x400, /* of the registers with one bit an interrupt, each 0x80 bytes long */
	GIC_IPRIORITYR = 0x400,
	GIC_IPRIORITYR_END = 0x800,
	GIC_ICFGR = 0xc00,
	GIC_ICFGR_END = 0xd00,
	GIC_IGRPMODR = 0xd00, /* RAZ/WI with one security state, as is NSACR */
	GIC_NSACR = 0xe00,
	GIC_NSACR_END = 0xf00,
};

/* The distributor's own. */
enum {
	GICD_CTLR = 0x0000,
	GICD_TYPER = 0x0004,
	GICD_IIDR = 0x0008,
	GICD_TYPER2 = 0x000c,
	GICD_STATUSR = 0x0010,
	GICD_ITARGETSR = 0x0800,
	GICD_ITARGETSR_END = 0x0c00,
	GICD_SGIR = 0x0f00,
	GICD_CPENDSGIR = 0x0f10,
	GICD_SPENDSGIR_END = 0x0f30,
	GICD_IROUTER = 0x6000, /* of INTID 0; those below INTID_SPI_FIRST are reserved */
	GICD_IROUTER_END = 0x7fe0,
};

#define GICD_CTLR_ENABLE_GRP0 BIT(0)
#define GICD_CTLR_ENABLE_GRP1 BIT(1)
#define GICD_CTLR_ARE         BIT(4)
#define GICD_CTLR_DS          BIT(6)

#define GICD_TYPER_NO1N      BIT(25)
#define GICD_TYPER_A3V       BIT(24)
#define GICD_TYPER_IDBITS_HI 23
#define GICD_TYPER_IDBITS_LO 19
#define GICD_TYPER_LINES_HI  4
#define GICD_TYPER_LINES_LO  0

/* Affinity as IROUTER and MPIDR_EL1 have it. Interrupt_Routing_Mode is RES0, because GICD_TYPER.No1N is 1. */
#define GICD_IROUTER_AFF3_HI   39
#define GICD_IROUTER_AFF3_LO   32
#define GICD_IROUTER_AFF210_HI 23
#define GICD_IROUTER_AFF210_LO 0

/* A redistributor's own, in its first 64 KiB frame (RD); the second frame (SGI) has the shared ones. */
enum {
	GICR_CTLR = 0x0000,
	GICR_IIDR = 0x0004,
	GICR_TYPER = 0x0008,
	GICR_STATUSR = 0x0010,
	GICR_WAKER = 0x0014,
	GICR_PROPBASER = 0x0070, /* RAZ/WI without LPIs, as is PENDBASER */
	GICR_PENDBASER_END = 0x0080,
	GICR_SGI_FRAME = 0x10000,
	GICR_FRAMES_END = 0x20000,
};

#define GICR_TYPER_AFFINITY_HI     63
#define GICR_TYPER_AFFINITY_LO     32
#define GICR_TYPER_COMMON_LPI_HI   25
#define GICR_TYPER_COMMON_LPI_LO   24
#define GICR_TYPER_PROCESSOR_HI    23
#define GICR_TYPER_PROCESSOR_LO    8
#define GICR_TYPER_LAST            BIT(4)
#define GICR_WAKER_CHILDREN_ASLEEP BIT(2)
#define GICR_WAKER_PROCESSOR_SLEEP BIT(1)

/* GICD_IIDR and GICR_IIDR: Arm, r0p0, product 0. */
#define GIC_IIDR_VALUE UINT64_C(0x43b)

/* The identification registers, PIDR4 to CIDR3, at the end of either frame; PIDR2 says GICv3, PIDR0 which frame. */
enum { GIC_IDREGS = 0xffd0, GIC_PIDR0 = 0xffe0, GIC_IDREGS_END = 0x10000 };
enum { GIC_PIDR0_DISTRIBUTOR = 0x92, GIC_PIDR0_REDISTRIBUTOR = 0x93 };
#define GIC_IDREG_VALUES                                                                                               \
	{                                                                                                              \
		0x44, 0x00, 0x00, 0x00, 0x92, 0xb4, 0x3b, 0x00, 0x0d, 0xf0, 0x05, 0xb1                                 \
	}

/* ICC_SGI1R_EL1 */
#define ICC_SGI_AFF3_HI    55
#define ICC_SGI_AFF3_LO    48
#define ICC_SGI_RS_HI      47
#define ICC_SGI_RS_LO      44
#define ICC_SGI_IRM        BIT(40)
#define ICC_SGI_AFF2_HI    39
#define ICC_SGI_AFF2_LO    32
#define ICC_SGI_INTID_HI   27
#define ICC_SGI_INTID_LO   24
#define ICC_SGI_AFF1_HI    23
#define ICC_SGI_AFF1_LO    16
#define ICC_SGI_TARGETS_HI 15
#define ICC_SGI_TARGETS_LO 0

/* ICH_LR<n>_EL2 */
#define ICH_LR_ACTIVE      BIT(63)
#define ICH_LR_PENDING     BIT(62)
#define ICH_LR_HW          BIT(61)
#define ICH_LR_GROUP1      BIT(60)
#define ICH_LR_PRIORITY_HI 55
#define ICH_LR_PRIORITY_LO 48
#define ICH_LR_EOI         BIT(41) /* with HW = 0 */
#define ICH_LR_PINTID_HI   44      /* with HW = 1 */
#define ICH_LR_PINTID_LO   32
#define ICH_LR_VINTID_HI   31
#define ICH_LR_VINTID_LO   0

/* ICH_HCR_EL2 */
#define ICH_HCR_EOICOUNT_HI 31
#define ICH_HCR_EOICOUNT_LO 27
#define ICH_HCR_VGRP1DIE    BIT(7)
#define ICH_HCR_VGRP1EIE    BIT(6)
#define ICH_HCR_VGRP0DIE    BIT(5)
#define ICH_HCR_VGRP0EIE    BIT(4)
#define ICH_HCR_NPIE        BIT(3)
#define ICH_HCR_LRENPIE     BIT(2)
#define ICH_HCR_UIE         BIT(1)
#define ICH_HCR_EN          BIT(0)

/* ICH_VMCR_EL2 */
#define ICH_VMCR_VPMR_HI  31
#define ICH_VMCR_VPMR_LO  24
#define ICH_VMCR_VBPR0_HI 23
#define ICH_VMCR_VBPR0_LO 21
#define ICH_VMCR_VBPR1_HI 20
#define ICH_VMCR_VBPR1_LO 18
#define ICH_VMCR_VCBPR    BIT(4)
#define ICH_VMCR_VFIQEN   BIT(3)
#define ICH_VMCR_VENG1    BIT(1)
#define ICH_VMCR_VENG0    BIT(0)

/* The smallest binary points with five preemption bits; what reset leaves in ICH_VMCR_EL2. */
enum { ICH_VBPR0_MIN = 2, ICH_VBPR1_MIN = 3 };
