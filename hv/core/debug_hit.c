/* The exit is compared with each of the debugger's points, and the one that it fits best was hit. A breakpoint is easy:
 * its address is pc. A watchpoint's syndrome says only roughly where the access was (FAR may be anywhere near it, Arm
 * ARM D2.10.5), so the instruction is decoded where that is possible: what it accesses is exact. */
#include "hv/core/debug_hit.h"
#include "hv/core/debug_pass.h"
#include "hv/core/debug_regs.h"
#include "hv/core/hv.h"
#include "hv/core/publish.h"

/* How surely an exit is one of this point: the highest number is right, FIT_NONE cannot be. */
enum fit { FIT_NONE, FIT_BEFORE, FIT_DOUBLEWORD, FIT_RANGE, FIT_EXACT };

/* An address without its tag (TBI). */
static uint64_t untagged(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 8) >> 8);
}

/* Whether the access is of the watched bytes, and the first of them. */
static bool is_accessed(const volatile struct hv_debug_point *point, const struct load_store *here, uint64_t *first)
{
	uint64_t va = untagged(here->va), bytes = (uint64_t)here->access.size * here->access.count;
	bool begins_inside = va - point->address < point->bytes;
	*first = begins_inside ? va : point->address;
	return begins_inside || point->address - va < bytes;
}

/* A watchpoint's FAR is anywhere in its doubleword or larger range or, for an access that begins before it, up to DC
 * ZVA's 64 bytes before (Arm ARM D2.10.5). Where it is in the watched bytes themselves, that is sure, unless the same
 * bytes are watched for the other kind of access.
 *
 * Where the access is known, that decides: QEMU 7.2 takes an unaligned store in a page with a watchpoint for one that
 * begins at the start of the page, and an unaligned load for one of two aligned words. */
static enum fit watchpoint_fit(const volatile struct hv_debug_point *point, const struct debug_cause *cause,
			       uint64_t *reported)
{
	uint64_t at = cause->exit->far.v, start = point->address & ~UINT64_C(7);
	uint64_t bytes = point->bytes <= 8 ? 8 : point->bytes;
	bool is_kind = point->access & (exit_is_write(cause->exit) ? HV_DEBUG_WRITE : HV_DEBUG_READ);
	if (point->bytes == 0)
		return FIT_NONE;
	if (cause->access)
		return is_kind && is_accessed(point, cause->access, reported) ? FIT_EXACT : FIT_NONE;
	*reported = at - point->address < point->bytes ? at : point->address;
	if (at - point->address < point->bytes)
		return is_kind ? FIT_EXACT : FIT_RANGE;
	if (at - start < bytes)
		return FIT_DOUBLEWORD;
	return start - at < 64 ? FIT_BEFORE : FIT_NONE;
}

static enum fit point_fit(const volatile struct hv_debug_point *point, const struct debug_cause *cause,
			  uint64_t *reported)
{
	*reported = point->address;
	if (cause->is_watchpoint)
		return watchpoint_fit(point, cause, reported);
	return point->bytes == 0 && point->address == hv_vcpu()->pc ? FIT_EXACT : FIT_NONE;
}

enum debug_hit debug_hit(const struct debug_cause *cause)
{
	enum fit best = FIT_NONE;
	struct debug_pass_hit hit = {.is_watchpoint = cause->is_watchpoint};
	for (uint64_t i = 0; i < hv.mailbox->debug_point_count; i++) {
		uint64_t reported;
		enum fit fit = point_fit(&hv.mailbox->debug_points[i], cause, &reported);
		hit.points |= (uint32_t)(fit != FIT_NONE) << i;
		if (fit <= best)
			continue;
		best = fit;
		hit.address = reported;
	}
	if (best == FIT_NONE)
		return DEBUG_HIT_NONE;
	if (cause->exit && debug_pass_over(&hit))
		return DEBUG_HIT_PASSED;
	hv.mailbox->stop_address = hit.address;
	hv.mailbox->stop = cause->is_watchpoint ? HV_STOP_WATCHPOINT : HV_STOP_BREAKPOINT;
	publish_end(HV_STATE_STOPPED);
	return DEBUG_HIT_STOPPED;
}

/* Whether FAR is in the bytes of a watchpoint of the guest's for this kind of access (Arm ARM D17.3.11). */
static bool is_guests(uint64_t wcr, uint64_t wvr, const struct exit *exit)
{
	uint64_t offset = exit->far.v - wvr, mask = FIELD_GET(wcr, DBGWCR_MASK);
	uint64_t kind = exit_is_write(exit) ? HV_DEBUG_WRITE : HV_DEBUG_READ;
	if (!(wcr & DBGCR_E) || !(FIELD_GET(wcr, DBGWCR_LSC) & kind))
		return false;
	return mask != 0 ? offset < BIT(mask) : offset < 8 && FIELD_GET(wcr, DBGWCR_BAS) & BIT(offset);
}

bool debug_hit_is_false(const struct exit *exit)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	const struct debug_cause cause = {.exit = exit, .is_watchpoint = true};
	uint64_t reported;
	for (uint32_t i = 0; i < GUEST_WATCHPOINT_COUNT; i++) {
		if (is_guests(vcpu->dbgwcr[i], vcpu->dbgwvr[i], exit))
			return false;
	}
	for (uint64_t i = 0; i < hv.mailbox->debug_point_count; i++) {
		if (point_fit(&hv.mailbox->debug_points[i], &cause, &reported) >= FIT_RANGE)
			return true;
	}
	return false;
}
