/* What EL2 and the host share, byte by byte: both sides are built by different compilers, world.S knows two offsets by
 * number, and the state hash and the traces keep the rest. */
#include "hv/abi/event.h"
#include "hv/abi/guest_state.h"
#include "hv/abi/mailbox.h"

#include <criterion/criterion.h>
#include <stddef.h>

TestSuite(abi);

Test(abi, events)
{
	cr_assert_eq(sizeof(struct event), 40);
	cr_assert_eq(offsetof(struct event, pc), 8);
	cr_assert_eq(offsetof(struct event, address), 16);
	cr_assert_eq(offsetof(struct event, value), 24);
	cr_assert_eq(offsetof(struct event, kind), 32);
	cr_assert_eq(offsetof(struct event, vcpu), 34);
	cr_assert_eq(offsetof(struct event, size), 35);
	cr_assert_eq(offsetof(struct event, zero), 36);
}

Test(abi, event_kinds_are_numbered_without_gaps)
{
	static const unsigned ids[] = {
#define EVENT(id, name, class, address, value, text) id,
#include "hv/abi/event.def"
#undef EVENT
	};
	cr_assert_eq(sizeof(ids) / sizeof(ids[0]), EVENT_KIND_MAX);
	for (unsigned i = 0; i < EVENT_KIND_MAX; i++)
		cr_assert_eq(ids[i], i + 1);
}

/* Whoever has a table by reason has a place for each. */
Test(abi, reasons_are_numbered_without_gaps)
{
	static const unsigned exits[] = {
#define EXIT_REASON(id, NAME, name) id,
#include "hv/abi/exit_reason.def"
#undef EXIT_REASON
	};
	static const unsigned ends[] = {
#define END_REASON(id, NAME, name, sentence) id,
#include "hv/abi/end_reason.def"
#undef END_REASON
	};
	cr_assert_eq(sizeof(exits) / sizeof(exits[0]), EXIT_REASON_COUNT - 1);
	for (unsigned i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
		cr_assert_eq(exits[i], i + 1);
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		cr_assert_eq(ends[i], i + 1);
	cr_assert_str_eq(reason_end_name(END_REASON_RESET), "reset");
	cr_assert_str_eq(reason_end_sentence(END_REASON_POWER_OFF), "powered off");
	cr_assert_null(reason_end_name(0));
	cr_assert_str_eq(reason_end_sentence(99), "ended");
}

/* VCPU_PC and VCPU_PSTATE of hv/arch/world.S, which saves x0 to x30, pc and pstate in a row. */
Test(abi, the_world_switch_finds_its_registers)
{
	cr_assert_eq(offsetof(struct vcpu_state, x), 0);
	cr_assert_eq(offsetof(struct vcpu_state, x[30]), 240);
	cr_assert_eq(offsetof(struct vcpu_state, pc), 248);
	cr_assert_eq(offsetof(struct vcpu_state, pstate), 256);
}

/* Padding that has no name is not hashed alike on every host: the sizes are the sums of the members'. */
Test(abi, guest_state_has_no_hidden_padding)
{
	cr_assert_eq(sizeof(struct virq), 8);
	cr_assert_eq(sizeof(struct pl011_state), 12 * 4 + PL011_FIFO_BYTES);
	cr_assert_eq(sizeof(struct pl031_state), 8 + 4 * 4);
	cr_assert_eq(sizeof(struct vgic_redist_state), VGIC_PRIVATE_COUNT * 8 + 2 * 4 + 8);
	cr_assert_eq(sizeof(struct vgic_state),
		     8 + VGIC_SPI_COUNT * 16 + VGIC_SPI_COUNT / 8 + GUEST_VCPU_MAX * sizeof(struct vgic_redist_state));
	cr_assert_eq(offsetof(struct vcpu_state, power) + 2 * 4, sizeof(struct vcpu_state));
	cr_assert_eq(offsetof(struct vcpu_state, ich_lr) + GUEST_LR_COUNT * 8, offsetof(struct vcpu_state, power));
	cr_assert_eq(offsetof(struct guest_state, vcpu), 32);
	cr_assert_eq(sizeof(struct guest_state),
		     32 + GUEST_VCPU_MAX * sizeof(struct vcpu_state) + sizeof(struct vgic_state) +
			     sizeof(struct pl011_state) + sizeof(struct pl031_state) + sizeof(struct patch_state) +
			     sizeof(struct turn_state) + GUEST_VIRTIO_COUNT * sizeof(struct virtio_state));
	cr_assert_eq(guest_state_bytes(1), offsetof(struct guest_state, patch));
	cr_assert_eq(guest_state_bytes(2), offsetof(struct guest_state, turn));
	cr_assert_eq(guest_state_bytes(3), offsetof(struct guest_state, virtio));
	cr_assert_eq(guest_state_bytes(GUEST_MACHINE_VERSION), sizeof(struct guest_state));
}

Test(abi, the_boot_block_and_the_mailbox)
{
	cr_assert_eq(sizeof(struct hv_boot), 248 + 8 * HV_FINGERPRINT_COUNT + 40 * GUEST_VIRTIO_COUNT);
	cr_assert_eq(offsetof(struct hv_boot, guest_ram_pa), 24);
	cr_assert_eq(offsetof(struct hv_boot, until_n), 152);
	cr_assert_eq(offsetof(struct hv_mailbox, now_n), 8);
	cr_assert_eq(offsetof(struct hv_mailbox, fingerprint), 56);
	cr_assert_eq(offsetof(struct hv_mailbox, expected), 56 + HV_FINGERPRINT_COUNT * 8);
	cr_assert_eq(offsetof(struct hv_mailbox, stop_request),
		     offsetof(struct hv_mailbox, expected) + 2 * sizeof(struct event) + HV_TEXT_BYTES + 24);
	cr_assert_eq(offsetof(struct hv_mailbox, console_watch),
		     offsetof(struct hv_mailbox, command) + 48 + HV_CONDITION_BYTES +
			     HV_DEBUG_POINTS_MAX * sizeof(struct hv_debug_point));
	cr_assert_eq(offsetof(struct hv_mailbox, event_head),
		     offsetof(struct hv_mailbox, console_watch) + HV_CONSOLE_WATCHES * sizeof(struct hv_console_watch) +
			     8 + sizeof(struct hv_ask) + 8);
	cr_assert_eq(offsetof(struct hv_mailbox, final_state), offsetof(struct hv_mailbox, event_head) + 64);
}
