/* A timeline as what the gdb stub debugs. */
#pragma once
#include "gdbstub/gdbstub.h"
#include "replay/travel/timeline.h"

struct replay_target;

extern const struct target_ops replay_target_ops;

/* NULL: out of memory. `timeline` must outlive it. `placed`: gdb has the symbols where they belong, and needs no
 * offset. */
struct replay_target *replay_target_new(struct timeline *timeline, bool placed);
void replay_target_free(struct replay_target *target);
/* Whom to tell of stops; once, before the first client. */
void replay_target_attach(struct replay_target *target, struct gdbstub *stub);

/* To be called now and then while it runs: reports a search on gdb's console, one that takes long. */
void replay_target_progress(struct replay_target *target, int64_t now_ns);
/* Whether a monitor command is under way. */
bool replay_target_in_monitor(const struct replay_target *target);
/* Whether the monitor command that is under way is to end, for gdb's interrupt or because of `wanted`. True once: the
 * way back to where it began is not interrupted. */
bool replay_target_monitor_ends(struct replay_target *target, bool wanted);
/* Whether a resume or a monitor command is under way, that replay_target_run goes on with. It returns when the guest
 * has stopped (the stub then knows) or was interrupted. False: the timeline is broken, error set. */
bool replay_target_running(const struct replay_target *target);
bool replay_target_run(struct replay_target *target, struct error *error);
