/* One table: where each of gdb's registers is. */
#include "replay/target_registers.h"
#include "gdbstub/gdb_registers.h"

#include <stddef.h>
#include <string.h>

#define PSTATE_SP UINT64_C(1)

struct place {
	size_t offset;
	uint32_t bits;
};

#include "replay/register_names.h"
static const struct place places[] = {
#define GDB_REGISTER(feature, id, name, bits, type, group) {offsetof(struct vcpu_state, id), bits},
#include "gdbstub/gdb_registers.def"
#undef GDB_REGISTER
};
#undef sp

bool target_registers_read(const struct vcpu_state *vcpu, uint32_t number, struct target_value *value)
{
	if (number >= sizeof(places) / sizeof(places[0]))
		return false;
	const struct place *place = &places[number];
	size_t offset = place->offset;
	if (number == GDB_REG_sp && vcpu->pstate & PSTATE_SP)
		offset = offsetof(struct vcpu_state, sp_el1);
	*value = (struct target_value){0, 0};
	memcpy(value, (const uint8_t *)vcpu + offset, place->bits == 128 ? 16 : 8);
	if (place->bits == 32)
		value->low &= UINT32_MAX;
	return true;
}
