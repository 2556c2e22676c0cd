/* Stage-2 aborts. A device access is emulated: from the syndrome if that describes it (ISV), otherwise from the
 * instruction itself. An access to nothing is an external abort to the guest, as on the board. */
#include "hv/core/abort.h"
#include "hv/arch/arch.h"
#include "hv/arch/hot.h"
#include "hv/core/bus.h"
#include "hv/core/gate.h"
#include "hv/core/hv.h"
#include "hv/core/inject.h"
#include "hv/core/load_store.h"
#include "hv/core/patch.h"
#include "hv/core/standstill.h"

enum { FSC_TYPE_MASK = 0x3c, FSC_TRANSLATION = 0x04, FSC_PERMISSION = 0x0c, FSC_LEVEL_MASK = 3, ELEMENTS_MAX = 4 };

static HV_APART enum exit_answer external_abort(struct exit exit, bool is_instruction)
{
	gate_trap(EVENT_EXTERNAL_ABORT, exit.ipa.v, exit.esr, 0, false);
	return standstill_injected(inject_external_abort(exit.far, is_instruction, exit_is_write(&exit),
							 exit_is_walk(&exit), exit_fault(&exit) & FSC_LEVEL_MASK));
}

static uint64_t register_read(uint8_t number)
{
	return number == 31 ? 0 : hv_vcpu()->x[number];
}

static void register_write(uint8_t number, uint64_t value)
{
	if (number != 31)
		hv_vcpu()->x[number] = value;
}

/* One element of an access: the gate sees each. */
static void element_write(const struct bus_device *device, ipa_t ipa, uint8_t size, uint64_t value)
{
	gate_trap(EVENT_MMIO_WRITE, ipa.v, value, size, false);
	bus_write(device, ipa, size, value);
}

static uint64_t element_read(const struct bus_device *device, ipa_t ipa, uint8_t size)
{
	uint64_t value = bus_read(device, ipa, size);
	gate_trap(EVENT_MMIO_READ, ipa.v, value, size, false);
	return value;
}

static uint64_t load_extend(uint64_t value, uint8_t size, bool sign_extend, bool is_64bit)
{
	uint32_t unused_bits = 64 - 8 * (uint32_t)size;
	if (sign_extend)
		value = (uint64_t)((int64_t)(value << unused_bits) >> unused_bits);
	return is_64bit ? value : value & UINT32_MAX;
}

static enum exit_answer access_by_syndrome(const struct exit *exit, const struct bus_device *device)
{
	if (exit_is_write(exit))
		element_write(device, exit->ipa, exit_size(exit),
			      register_read(exit_rt(exit)) & bus_size_mask(exit_size(exit)));
	else
		register_write(exit_rt(exit),
			       load_extend(element_read(device, exit->ipa, exit_size(exit)), exit_size(exit),
					   exit_sign_extends(exit), exit_is_64bit(exit)));
	return EXIT_SKIP;
}

/* The registers of a SIMD access are 64-bit halves of V registers. */
static void transfer(const struct decode_access *access, ipa_t ipa, uint64_t v[64])
{
	for (uint8_t i = 0; i < access->count; i++) {
		uint8_t rt = i == 0 ? access->rt : access->rt2;
		uint8_t halves = access->size == 16 ? 2 : 1;
		uint8_t size = access->size == 16 ? 8 : access->size;
		if (access->is_simd && !access->is_write)
			v[2 * rt + 1] = 0;
		for (uint8_t half = 0; half < halves; half++) {
			ipa_t at = {ipa.v + (uint64_t)i * access->size + (uint64_t)half * 8};
			uint64_t *simd = &v[2 * rt + half];
			if (access->is_write)
				element_write(bus_device(at), at, size,
					      (access->is_simd ? *simd : register_read(rt)) & bus_size_mask(size));
			else if (access->is_simd)
				*simd = element_read(bus_device(at), at, size);
			else
				register_write(rt, decode_load_value(access, element_read(bus_device(at), at, size)));
		}
	}
}

static HV_APART enum exit_answer access_by_instruction(struct exit exit)
{
	struct vcpu_state *vcpu = hv_vcpu();
	struct load_store here;
	uint64_t v[64];
	if (!load_store_here(&here)) {
		hv_text("a device was accessed by an instruction that hv does not emulate:", here.word);
		return EXIT_REFUSED;
	}
	const struct decode_access *access = &here.access;
	ipa_t ipa = {exit.ipa.v - (exit.far.v - here.va)}; /* FAR is that of the byte that faulted */
	if (access->is_simd)
		arch_simd_save(v);
	transfer(access, ipa, v);
	if (access->is_simd && !access->is_write)
		arch_simd_load(v);
	if (access->writeback && access->rn == 31)
		arch_sp_write(vcpu->pstate, decode_writeback(access, here.base));
	else if (access->writeback)
		vcpu->x[access->rn] = decode_writeback(access, here.base);
	return EXIT_SKIP;
}

/* The page has words of hv's own, and the access shall not see them. An alarm of this position comes before it, which
 * the machine may look at later (an instruction abort): then it comes at the next entry, and this again. */
static bool is_patched(const struct exit *exit)
{
	if ((exit_fault(exit) & FSC_TYPE_MASK) != FSC_PERMISSION)
		return false;
	return clock_alarm().v <= hv.guest.n || patch_release(exit->ipa);
}

/* Of these the machine says the IPA: of a permission fault QEMU does, though the architecture lets it be (Arm ARM
 * D17.2.64). */
static bool is_known(const struct exit *exit)
{
	uint8_t type = exit_fault(exit) & FSC_TYPE_MASK;
	return type == FSC_TRANSLATION || (type == FSC_PERMISSION && bus_is_flash(exit->ipa));
}

enum exit_answer abort_data(const struct exit *exit)
{
	if (is_patched(exit))
		return EXIT_AGAIN;
	if (!is_known(exit)) {
		hv_text("a stage-2 fault that hv does not know, ESR_EL2 =", exit->esr);
		return EXIT_REFUSED;
	}
	const struct bus_device *device = exit_is_walk(exit) ? NULL : bus_device(exit->ipa);
	if (!device)
		return external_abort(*exit, false);
	if (exit_is_cache(exit)) {
		gate_trap(EVENT_MMIO_WRITE, exit->ipa.v, 0, 0, false);
		return EXIT_SKIP; /* devices have no cache */
	}
	return exit_has_isv(exit) ? access_by_syndrome(exit, device) : access_by_instruction(*exit);
}

enum exit_answer abort_instruction(const struct exit *exit)
{
	return is_patched(exit) ? EXIT_AGAIN : external_abort(*exit, true);
}
