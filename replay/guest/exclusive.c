/* What hv/shared/exclusive_code.c finds, in code in guest RAM. */
#include "replay/guest/exclusive.h"
#include "hv/shared/branch.h"
#include "hv/shared/exclusive_code.h"

enum { LOOK_AHEAD = 32 };

struct reader {
	struct guest_memory memory;
	const struct vcpu_state *vcpu;
};

static bool read_word(const void *context, uint64_t va, uint32_t *word)
{
	const struct reader *reader = context;
	return guest_memory_read(reader->memory, reader->vcpu, (va_t){va}, word, sizeof(*word));
}

bool exclusive_inside(struct guest_memory memory, const struct vcpu_state *vcpu)
{
	return exclusive_code_is_inside(read_word, &(struct reader){memory, vcpu}, vcpu->pc);
}

bool exclusive_ends_here(struct guest_memory memory, const struct vcpu_state *vcpu)
{
	uint32_t word;
	return guest_memory_read(memory, vcpu, (va_t){vcpu->pc}, &word, sizeof(word)) &&
	       exclusive_code_is_exclusive(word, false) && exclusive_inside(memory, vcpu);
}

size_t exclusive_exits(struct guest_memory memory, const struct vcpu_state *vcpu, uint64_t exits[EXCLUSIVE_EXITS_MAX])
{
	size_t count = 0;
	for (uint64_t ahead = 0; ahead <= LOOK_AHEAD; ahead++) {
		uint64_t at = vcpu->pc + 4 * ahead;
		uint32_t word;
		if (!guest_memory_read(memory, vcpu, (va_t){at}, &word, sizeof(word)) ||
		    (ahead == 0 && !exclusive_code_is_exclusive(word, true)) || count == EXCLUSIVE_EXITS_MAX)
			return 0;
		if (exclusive_code_is_exclusive(word, false)) {
			exits[count++] = at + 4;
			return count;
		}
		if (branch_bytes(word) != 0)
			exits[count++] = at + (uint64_t)branch_bytes(word);
		else if (exclusive_code_is_barrier(word))
			return 0;
	}
	return 0;
}
