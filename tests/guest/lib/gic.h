/* GICv3 (ARM IHI 0069): one security state, affinity routing, everything in group 1. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
	GICD_CTLR = 0x0000,
	GICD_TYPER = 0x0004,
	GICD_IGROUPR = 0x0080,
	GICD_ISENABLER = 0x0100,
	GICD_ICENABLER = 0x0180,
	GICD_ISPENDR = 0x0200,
	GICD_ICPENDR = 0x0280,
	GICD_ISACTIVER = 0x0300,
	GICD_IPRIORITYR = 0x0400,
	GICD_ICFGR = 0x0c00,
	GICD_IROUTER = 0x6000,
	GIC_PRIORITY_DEFAULT = 0xa0,
};

/* Sets the distributor up: all SPIs in group 1 at the default priority, routed to this CPU. Then gic_join. */
void gic_init(void);

/* Wakes this CPU's redistributor, puts its SGIs and PPIs in group 1 at the default priority, opens its CPU interface.
 */
void gic_join(void);

/* For any INTID, through the distributor (SPIs) or this CPU's redistributor (SGIs, PPIs). */
void gic_enable(uint32_t intid);
void gic_disable(uint32_t intid);
void gic_set_pending(uint32_t intid);
void gic_clear_pending(uint32_t intid);
void gic_set_priority(uint32_t intid, uint8_t priority);
void gic_set_edge(uint32_t intid, bool edge);
bool gic_is_pending(uint32_t intid);
bool gic_is_active(uint32_t intid);

/* Several CPUs, by their number (smp.h). What was stored before is seen by who takes the SGI. */
void gic_send(uint32_t sgi, uint32_t cpu_mask);
void gic_send_others(uint32_t sgi); /* to all but this CPU */
void gic_route(uint32_t spi, uint32_t cpu);
void gic_set_pending_of(uint32_t cpu, uint32_t intid); /* an SGI or PPI of another CPU, through its redistributor */
