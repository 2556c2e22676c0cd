/* What the parts of the payload chaos share: its random numbers, the hash of all that it sees, and its moves. Each CPU
 * has random numbers and a hash of its own. A move does one random thing and may leave interrupts, timers and devices
 * in any state that does not keep the guest from going on: what a move needs of them it sets up itself. */
#pragma once
#include "tests/guest/lib/smp.h"
#include <stdbool.h>
#include <stdint.h>

/* The next random number. Interrupt handlers take from the same sequence, so it goes on differently if an interrupt
 * comes elsewhere. */
uint64_t chaos_random(void);

/* A random number below `limit`, which is not 0. */
uint64_t chaos_pick(uint64_t limit);

/* Takes a value that the guest saw into the hash. */
void chaos_see(uint64_t value);

/* Goes round a loop whose turns a handler can tell. */
void chaos_spin(uint64_t turns);

/* Random programming of the timers; called by handlers too. */
void chaos_vtimer_set(void);
void chaos_ptimer_set(void);

/* How many CPUs there are. */
extern uint32_t chaos_cpu_count;

/* Expects one synchronous exception at EL1 in what follows, any number until chaos_sync_end: each is seen and the
 * instruction skipped (an instruction abort returns to x30). Returns how many came. chaos_sync_init comes first. */
void chaos_sync_init(void);
void chaos_sync_begin(void);
uint64_t chaos_sync_end(void);

/* chaos_time.c: timers, counters, PMU, waiting */
void chaos_timers(void);
void chaos_timer_poll(void);
void chaos_counters(void);
void chaos_wait(void);
void chaos_pmu(void);
void chaos_masked(void);

/* chaos_gic.c */
void chaos_sgi(void);
void chaos_distributor(void);
void chaos_cpu_interface(void);
void chaos_acknowledge(void);

/* chaos_devices.c */
void chaos_uart(void);
void chaos_rtc(void);
void chaos_forms(void);

/* chaos_cpu.c: calls, exceptions, registers, debug */
void chaos_call(void);
void chaos_fault(void);
void chaos_registers(void);
void chaos_debug_registers(void);
void chaos_breakpoint(void);

/* chaos_user.c: EL0 */
void chaos_user_init(void); /* on the first CPU */
void chaos_user_join(void); /* on each CPU, before it does the moves */
void chaos_user(void);
void chaos_user_step(void);

/* chaos_memory.c */
void chaos_memory_init(void);
void chaos_memory_join(void);
void chaos_exclusive(void);
void chaos_code(void);
void chaos_pages(void);
void chaos_cache(void);
void chaos_boundary(void);
void chaos_write(void);
void chaos_simd(void);

/* chaos_smp.c: for several CPUs */
void chaos_smp_init(void);
void chaos_send(void);
void chaos_route(void);
void chaos_power(void);
void chaos_shared_page(void);
void chaos_shared_code(void);
void chaos_shared_lock(void);

/* Goes off until another CPU starts this one again, at chaos_run (chaos.c). */
_Noreturn void chaos_off(void);
void chaos_run(uint64_t cpu);
