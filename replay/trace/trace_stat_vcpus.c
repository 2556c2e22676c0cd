/* A vCPU without its turn is off, waits or is ready, as the reason says for which it left. */
#include "replay/trace/trace_stat_vcpus.h"
#include "hv/abi/event_info.h"

void trace_stat_vcpus_begin(struct trace_stat_vcpus *vcpus, uint64_t vcpu_count, uint64_t n, uint64_t ns)
{
	*vcpus = (struct trace_stat_vcpus){.turn_n = n, .idle_ns = ns - n, .count = GUEST_VCPU_MAX};
	if (vcpu_count < GUEST_VCPU_MAX)
		vcpus->count = vcpu_count == 0 ? 1 : (uint32_t)vcpu_count;
	for (uint32_t i = 0; i < vcpus->count; i++)
		vcpus->left[i].ns = ns;
}

/* Until position `n` it had no turn. */
static void absence_end(struct trace_stat_vcpus *vcpus, uint32_t vcpu, uint64_t n)
{
	uint64_t ns = n + vcpus->idle_ns - vcpus->left[vcpu].ns;
	switch (vcpus->left[vcpu].reason) {
	case SWITCH_REASON_WAITS:
		vcpus->at[vcpu].waits_ns += ns;
		break;
	case SWITCH_REASON_OFF:
	case 0:
		vcpus->at[vcpu].off_ns += ns;
		break;
	default:
		vcpus->at[vcpu].ready_ns += ns;
		break;
	}
}

static void turn_begin(struct trace_stat_vcpus *vcpus, uint32_t vcpu, uint64_t n)
{
	absence_end(vcpus, vcpu, n);
	vcpus->current = vcpu;
	vcpus->turn_n = n;
}

static void turn_end(struct trace_stat_vcpus *vcpus, uint64_t n, uint64_t reason)
{
	struct trace_stat_vcpu *vcpu = &vcpus->at[vcpus->current];
	vcpu->turns++;
	vcpu->instructions += n - vcpus->turn_n;
	vcpus->left[vcpus->current].ns = n + vcpus->idle_ns;
	vcpus->left[vcpus->current].reason = reason;
}

void trace_stat_vcpus_add(struct trace_stat_vcpus *vcpus, const struct event *event)
{
	bool is_switch = event_info(event->kind)->address == EVENT_ADDRESS_VCPU;
	if (event->vcpu >= vcpus->count)
		return;
	if (!vcpus->is_begun) /* it had the turn from the start on */
		turn_begin(vcpus, event->vcpu, vcpus->turn_n);
	vcpus->is_begun = true;
	vcpus->at[event->vcpu].event_count++;
	vcpus->at[event->vcpu].interrupts += event->kind == EVENT_INJECT;
	vcpus->at[event->vcpu].waits_ns += event_idle_ns(event);
	vcpus->idle_ns += event_idle_ns(event);
	if (!is_switch || event->address >= vcpus->count)
		return;
	vcpus->at[event->vcpu].ends[event->value < SWITCH_REASON_COUNT ? event->value : 0]++;
	turn_end(vcpus, event->n, event->value);
	turn_begin(vcpus, (uint32_t)event->address, event->n);
}

void trace_stat_vcpus_end(struct trace_stat_vcpus *vcpus, uint64_t n)
{
	if (vcpus->is_begun)
		turn_end(vcpus, n, 0);
	for (uint32_t i = 0; i < vcpus->count; i++) {
		if (!vcpus->is_begun || i != vcpus->current)
			absence_end(vcpus, i, n);
	}
}
