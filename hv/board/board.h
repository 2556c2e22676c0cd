/* The machine that hv itself runs on, as hv/core uses it: interrupts to EL2, the doorbell, sleep. One folder file for
 * each board; the Makefile picks one. None of these can fail. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>
#include <stdint.h>

/* The physical map that hv runs in; multiples of 2 MiB. */
struct board_map {
	uint64_t device_start, device_end;
};
struct board_map board_map(void);

/* What may interrupt the guest: everything (recording, and a diversion); the instruction alarm only (replay, invariant
 * I1); the alarm and the host's doorbell, whose stop is never gone on from (replay for a debugger). */
enum board_interrupts { BOARD_ALL, BOARD_ALARM, BOARD_ALARM_AND_HOST };

/* Programs the interrupt controller and the doorbell; then, on each CPU, what that CPU has of them. */
void board_init(enum board_interrupts interrupts);
void board_cpu_init(enum board_interrupts interrupts);
/* For arch_cpu_move: starts a CPU that has not run yet; wakes one that sleeps, and has the doorbell interrupt that one.
 */
void board_cpu_start(uint32_t cpu, uint64_t entry);
void board_cpu_wake(uint32_t cpu, uint64_t entry);
/* From now on, of BOARD_ALL and BOARD_ALARM_AND_HOST, on all CPUs. */
void board_interrupts_set(enum board_interrupts interrupts);

/* The doorbell interrupts the guest, too, from now on. */
void board_host_let_in(void);

/* What came, as a set. All of it is acknowledged and does not fire again until it happens anew; the virtual timer's
 * interrupt not before board_vtimer_set_active(false) or the guest's own EOI through a HW list register, the virtual
 * GIC's maintenance interrupt not before board_maintenance_rearm. */
enum {
	BOARD_IRQ_ALARM = 1 << 0,
	BOARD_IRQ_VTIMER = 1 << 1,
	BOARD_IRQ_HOST = 1 << 2,
	BOARD_IRQ_MAINTENANCE = 1 << 3,
};
uint32_t board_irq_take(void);

/* Marks the physical virtual-timer interrupt active (it cannot fire) or inactive. */
void board_vtimer_set_active(bool active);

/* The virtual GIC was brought up to date: its maintenance interrupt may fire again. */
void board_maintenance_rearm(void);

/* Sleeps, whatever is pending, until the machine's clock (CNTPCT_EL0) has come to `ticks`, which takes no real time. */
void board_clock_jump(uint64_t ticks);

/* One byte to the host: "look at the mailbox". */
void board_doorbell_ring(void);
/* The value of the byte that the host rang with last. */
uint8_t board_bell(void);
/* Sleeps at EL2 until the host rings, or something else interrupts; returns what came, as board_irq_take does. */
uint32_t board_wait(void);
