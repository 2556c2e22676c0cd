/* A breakpoint's condition, evaluated at the target. */
#pragma once
#include "gdbstub/target.h"
#include "hv/shared/agent_expr.h"

/* agent_expr_evaluate in the context of `thread`. */
enum agent_expr_status condition_evaluate(const uint8_t *code, size_t count, const struct target_ops *ops,
					  void *context, uint32_t thread, uint64_t *value);
