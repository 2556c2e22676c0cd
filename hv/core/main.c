/* Start-up: one function that lists its steps. */
#include "hv/core/main.h"
#include "hv/arch/arch.h"
#include "hv/arch/clock.h"
#include "hv/arch/el2.h"
#include "hv/arch/mmu.h"
#include "hv/arch/pagetable.h"
#include "hv/arch/panic.h"
#include "hv/arch/stage2.h"
#include "hv/board/board.h"
#include "hv/core/bus.h"
#include "hv/core/gate.h"
#include "hv/core/guest_clock.h"
#include "hv/core/hv.h"
#include "hv/core/publish.h"
#include "hv/core/run.h"
#include "hv/core/service.h"
#include "hv/core/sysreg.h"
#include "hv/core/vcpu.h"
#include "hv/core/virtio_bus.h"
#include "hv/dev/pl011.h"
#include "hv/dev/pl031.h"
#include "hv/dev/vgic.h"

static void refuse(const char *text, uint64_t value)
{
	hv_text(text, value);
	publish_end(HV_STATE_REFUSED);
	for (;;)
		board_wait();
}

static void boot_block_read(void)
{
	hv.boot = (const struct hv_boot *)HV_BOOT_PA;
	hv.mailbox = (volatile struct hv_mailbox *)hv.boot->mailbox_pa;
	CHECK(hv.boot->magic == HV_BOOT_MAGIC && hv.boot->version == HV_ABI_VERSION);
	CHECK(hv.boot->machine_version >= 1 && hv.boot->machine_version <= GUEST_MACHINE_VERSION);
	hv.until_n = hv.boot->until_n;
	CHECK(hv.boot->vcpu_count >= 1 && hv.boot->vcpu_count <= GUEST_VCPU_MAX);
}

static void flash_init(const struct hv_boot *boot)
{
	CHECK(boot->flash_bytes <= GUEST_FLASH_BANK_BYTES);
	stage2_map_code((ipa_t){GUEST_FLASH_IPA}, (pa_t){boot->flash_pa}, boot->flash_bytes);
	stage2_map_zeros((ipa_t){GUEST_FLASH_IPA + boot->flash_bytes}, GUEST_FLASH_BYTES - boot->flash_bytes);
}

static void memory_init(void)
{
	struct board_map map = board_map();
	const struct hv_boot *boot = hv.boot;
	pagetable_init(boot->tables_pa, boot->tables_bytes);
	stage2_init((ipa_t){GUEST_RAM_IPA}, (pa_t){boot->guest_ram_pa}, boot->guest_ram_bytes);
	if (bus_has_flash())
		flash_init(boot);
	mmu_map(HV_MACHINE_RAM_PA, boot->guest_ram_pa + boot->guest_ram_bytes, map.device_start, map.device_end);
}

static void guest_init(void)
{
	struct guest_state *guest = &hv.guest;
	guest->vcpu_count = hv.boot->vcpu_count;
	vgic_reset(guest);
	pl011_reset(&guest->uart);
	pl031_reset(&guest->rtc);
	for (uint32_t i = 0; i < guest->vcpu_count; i++)
		vcpu_reset(i, 0, 0);
	vcpu_reset(0, hv.boot->entry_ipa, hv.boot->dtb_ipa);
	guest->vcpu[0].power = VCPU_ON;
	vcpu_load();
	guest_clock_jumped();
}

static enum board_interrupts board_interrupts(void)
{
	if (hv.boot->mode == HV_MODE_RECORD)
		return BOARD_ALL;
	return hv.boot->serve ? BOARD_ALARM_AND_HOST : BOARD_ALARM;
}

/* What each CPU has of its own. */
static void cpu_init(void)
{
	mmu_enable();
	stage2_enable();
	el2_init_traps(sysreg_id_registers_trap());
	board_cpu_init(board_interrupts());
	if (!clock_init())
		refuse("this machine's counters are not an exact instruction clock, CNTFRQ_EL0 =",
		       arch_counter_frequency());
}

static void cpus_init(void)
{
	cpu_init();
	for (uint32_t i = 1; i < hv.boot->vcpu_count; i++) {
		arch_cpu_move(i, board_cpu_start);
		cpu_init();
	}
	arch_cpu_move(0, board_cpu_wake);
}

void hv_main(void)
{
	boot_block_read();
	memory_init();
	board_init(board_interrupts());
	cpus_init();
	hv.mailbox->fingerprint_count = arch_fingerprint((uint64_t *)hv.mailbox->fingerprint);
	guest_clock_init();
	guest_init();
	virtio_bus_init();
	gate_init();
	if (hv.boot->resume)
		service_resume();
	__atomic_store_n(&hv.mailbox->state, (uint32_t)HV_STATE_RUNNING, __ATOMIC_RELEASE);
	board_doorbell_ring(); /* the fingerprint is there */
	if (hv.boot->serve)
		service_run();
	else
		run();
	for (;;)
		board_wait();
}
