/* A stub for gdb's remote serial protocol: bytes in, bytes out, and a target behind struct target_ops. No sockets, no
 * threads, no clock: server.h has the transport, the caller has the loop. Source: GDB manual, "GDB Remote Serial
 * Protocol"; tested against gdb 13.
 *
 *   client ──bytes──> gdbstub_feed ──ops──> target ──gdbstub_stopped / _print / _monitor_done──> gdbstub_output ──>
 * client
 *
 * 1. Nothing that a client sends makes the stub fail: what it does not know gets the empty reply, what is malformed
 *    E22, memory that cannot be reached E14.
 * 2. At most one client at a time, and one thing under way: gdbstub_is_busy. */
#pragma once
#include "gdbstub/target.h"

struct gdbstub;

/* NULL: no memory. `ops` and `context` must outlive the stub; the target stands still. */
struct gdbstub *gdbstub_new(const struct target_ops *ops, void *context);
void gdbstub_free(struct gdbstub *stub); /* NULL is allowed. Removes the breakpoints; tells the target nothing else. */

/* A client is there: forgets everything of the one before. Only while gdbstub_is_busy is false. */
void gdbstub_connect(struct gdbstub *stub);

/* Its bytes, as they come, in pieces of any size. May call any operation of the target. Returns how many were taken:
 * less than `count` when more than 16 MiB wait to be sent, so that a client that only asks cannot fill the memory; feed
 * the rest after gdbstub_sent. */
size_t gdbstub_feed(struct gdbstub *stub, const void *bytes, size_t count);

/* It is gone: removes its breakpoints, interrupts the target if that runs, calls `detach` unless the client had
 * detached or killed. After a client that detached, too. */
void gdbstub_disconnect(struct gdbstub *stub);

/* The client is to be disconnected once all output is sent: it has detached or killed, or memory ran out. */
bool gdbstub_is_leaving(const struct gdbstub *stub);

/* The target runs, or a monitor command does. */
bool gdbstub_is_busy(const struct gdbstub *stub);

/* What is to be sent to the client; valid until the next call. gdbstub_sent says how many bytes were. */
const void *gdbstub_output(const struct gdbstub *stub, size_t *count);
void gdbstub_sent(struct gdbstub *stub, size_t count);

/* The target stands still, at `stop`: ends what `resume` began. At any other time it only says where the target is now
 * (a monitor command moved it), for the next client that asks. */
void gdbstub_stopped(struct gdbstub *stub, const struct target_stop *stop);

/* For the target while it runs and meets a breakpoint or a watchpoint: whether gdb wants this stop. The target's
 * registers and memory must read as at that stop. False: go on, without gdbstub_stopped. Sends nothing. */
bool gdbstub_wants_stop(const struct gdbstub *stub, const struct target_stop *stop);

/* For the target that decides conditions itself where it meets a breakpoint: those of the one breakpoint (watchpoint)
 * of this kind at (around) `address`, each agent expression after a length of 4 bytes, little-endian. NULL: it has
 * none, or there is not one alone. Valid while the target runs. */
const uint8_t *gdbstub_conditions(const struct gdbstub *stub, enum target_break_kind kind, uint64_t address,
				  size_t *bytes);

/* Text for gdb's console, while gdbstub_is_busy; dropped at other times, and when more than 16 MiB wait to be sent. */
void gdbstub_print(struct gdbstub *stub, const char *text, size_t count);

/* Text without a newline, of how far something is; what is printed next begins on a line of its own. */
void gdbstub_progress(struct gdbstub *stub, const char *text, size_t count);

/* Ends a monitor command. False: it was refused, or failed. What it printed last says why, and is the reply: gdb would
 * add "Protocol error" to an error. With nothing printed, it is one. */
void gdbstub_monitor_done(struct gdbstub *stub, bool ok);

/* Whether gdb's m, M, x and X packets mean guest physical addresses; off for each new client. */
bool gdbstub_physical(const struct gdbstub *stub);
void gdbstub_set_physical(struct gdbstub *stub, bool physical);

/* Whether steps go into interrupt handlers; off for each new client. */
bool gdbstub_steps_into_interrupts(const struct gdbstub *stub);
void gdbstub_set_steps_into_interrupts(struct gdbstub *stub, bool into);
