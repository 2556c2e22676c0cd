/* Firmware in flash: what is taken for it, where it and its device tree go, and who finds it there: hv, a replay's
 * machine, and what looks at a stopped guest. */
#include "hv/core/bus.h"
#include "hv/core/guest_read.h"
#include "hv/core/hv.h"
#include "hv/host/state_hash.h"
#include "recorder/load/firmware.h"
#include "replay/guest/guest_memory.h"
#include "replay/run/guest.h"
#include "storage/trace.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RAM_BYTES = 4 << 20, FLASH_BLOCK = 2 << 20 };

static struct error error;

static struct guest_config config_of(const void *image, size_t bytes)
{
	return (struct guest_config){.kernel = image,
				     .kernel_bytes = bytes,
				     .is_firmware = true,
				     .name = "some/u-boot.bin",
				     .ram_bytes = RAM_BYTES,
				     .vcpu_count = 1};
}

/* ---- layout ---- */

Test(firmware, its_tree_is_at_the_start_of_ram_and_no_register_says_so)
{
	static const uint8_t image[5000] = {1};
	static uint8_t ram[RAM_BYTES];
	struct guest_layout layout;
	const struct guest_config config = config_of(image, sizeof(image));
	cr_assert(layout_load(&config, ram, &layout, &error), "%s", error.text);
	cr_expect_eq(layout.kind, GUEST_KIND_FIRMWARE);
	cr_expect_eq(layout.entry_ipa, 0);
	cr_expect_eq(layout.x0, 0);
	cr_expect_eq(layout.dtb_ipa, GUEST_RAM_IPA);
	cr_expect_eq(memcmp(ram, layout.dtb, layout.dtb_bytes), 0);
	for (size_t i = layout.dtb_bytes; i < RAM_BYTES; i++)
		cr_assert_eq(ram[i], 0, "RAM at %zx", i);
	cr_expect_null(layout.warning);
	free(layout.dtb);
}

Test(firmware, a_kernel_is_told_where_its_tree_is)
{
	static const uint8_t image[64] = {1};
	static uint8_t ram[RAM_BYTES];
	struct guest_layout layout;
	struct guest_config config = config_of(image, sizeof(image));
	config.is_firmware = false;
	cr_assert(layout_load(&config, ram, &layout, &error), "%s", error.text);
	cr_expect_eq(layout.x0, layout.dtb_ipa);
	free(layout.dtb);
}

static void refused(const void *image, size_t bytes, const char *why)
{
	static uint8_t ram[RAM_BYTES];
	struct guest_layout layout;
	const struct guest_config config = config_of(image, bytes);
	error = (struct error){0};
	cr_expect_not(layout_load(&config, ram, &layout, &error), "not refused: %s", why);
	cr_expect(strstr(error.text, "some/u-boot.bin") && strstr(error.text, why), "%s", error.text);
	cr_expect_null(layout.dtb);
}

Test(firmware, what_cannot_run_in_flash_is_refused)
{
	static uint8_t image[128];
	refused(image, 0, "empty");
	refused("\177ELF\2\1\1", 8, "objcopy");
	refused("\x1f\x8b\x08", 3, "gunzip");
	memcpy(image + 56, "ARM\x64", 4);
	refused(image, sizeof(image), "--kernel");
	refused(image, GUEST_FLASH_BANK_BYTES + 1, "64 MiB");
}

Test(firmware, a_tree_larger_than_ram_is_refused)
{
	static uint8_t image[16], ram[4096];
	static char arguments[8192];
	struct guest_layout layout;
	struct guest_config config = config_of(image, sizeof(image));
	memset(arguments, 'a', sizeof(arguments) - 1);
	config.bootargs = arguments;
	config.ram_bytes = sizeof(ram);
	cr_expect_not(layout_load(&config, ram, &layout, &error));
	cr_expect(strstr(error.text, "--memory"), "%s", error.text);
}

Test(firmware, uefi_is_warned_of)
{
	static uint8_t image[0x3000], ram[RAM_BYTES];
	struct guest_layout layout;
	const struct guest_config config = config_of(image, sizeof(image));
	memcpy(image + 0x1028, "_FVH", 4);
	cr_assert(layout_load(&config, ram, &layout, &error), "%s", error.text);
	cr_expect(layout.warning && strstr(layout.warning, "EDK2"));
	free(layout.dtb);
}

/* ---- hv ---- */

static uint8_t flash[FLASH_BLOCK];
static uint8_t guest_ram[4096];

static void flash_fill(void)
{
	for (size_t i = 0; i < sizeof(flash); i++)
		flash[i] = (uint8_t)(i * 7 + i / 251);
}

static void hv_with_firmware(uint64_t flash_bytes)
{
	static struct hv_boot boot;
	flash_fill();
	boot = (struct hv_boot){.machine_version = GUEST_MACHINE_VERSION,
				.guest_ram_pa = (uint64_t)guest_ram,
				.guest_ram_bytes = sizeof(guest_ram),
				.flash_pa = (uint64_t)flash,
				.flash_bytes = flash_bytes};
	hv.boot = &boot;
	hv.vcpu = &hv.guest.vcpu[0];
}

Test(firmware, hv_reads_code_in_flash)
{
	uint8_t bytes[8];
	uint32_t word;
	hv_with_firmware(sizeof(flash));
	memcpy(&word, flash + 0x1004, sizeof(word));
	cr_expect_eq(*hv_code_word((ipa_t){0x1004}), word);
	cr_expect_null(hv_code_word((ipa_t){0x1002}));
	cr_expect_null(hv_code_word((ipa_t){sizeof(flash)}));
	cr_expect_eq(hv_code_word((ipa_t){GUEST_RAM_IPA}), (volatile uint32_t *)(void *)guest_ram);
	cr_expect_null(hv_ram_word((ipa_t){0x1004}), "flash is no RAM: nothing is replaced in it");
	cr_assert(guest_read((va_t){0xffc}, true, bytes, 8));
	cr_expect_eq(memcmp(bytes, flash + 0xffc, 8), 0);
	cr_expect_not(guest_read((va_t){sizeof(flash) - 4}, true, bytes, 8));
	cr_expect(guest_read((va_t){GUEST_RAM_IPA + 4088}, true, bytes, 8));
	cr_expect_not(guest_read((va_t){GUEST_RAM_IPA + 4092}, true, bytes, 8));
	cr_expect_not(guest_read((va_t){GUEST_RAM_IPA - 4}, true, bytes, 8));
}

Test(firmware, a_load_that_comes_to_the_bus_has_what_is_in_flash)
{
	uint64_t value;
	hv_with_firmware(sizeof(flash));
	const struct bus_device *device = bus_device((ipa_t){0x1238});
	cr_assert(device);
	for (uint8_t size = 1; size <= 8; size = (uint8_t)(2 * size)) {
		value = 0;
		memcpy(&value, flash + 0x1238, size);
		cr_expect_eq(bus_read(device, (ipa_t){0x1238}, size), value, "%d bytes", size);
	}
	bus_write(device, (ipa_t){0x1238}, 8, ~value);
	cr_expect_eq(bus_read(device, (ipa_t){0x1238}, 8), value, "a store does not stay");
	cr_expect_eq(bus_read(device, (ipa_t){sizeof(flash) - 1}, 2), flash[sizeof(flash) - 1]);
	cr_expect_eq(bus_read(device, (ipa_t){GUEST_FLASH_BYTES - 8}, 8), 0);
}

Test(firmware, without_an_image_flash_is_empty)
{
	uint8_t byte;
	hv_with_firmware(0);
	cr_expect_null(hv_code_word((ipa_t){0}));
	cr_expect_not(guest_read((va_t){0}, true, &byte, 1));
	cr_expect_eq(bus_read(bus_device((ipa_t){0}), (ipa_t){0}, 8), 0);
}

/* ---- a machine, and a stopped guest ---- */

Test(firmware, what_looks_at_a_guest_reads_flash)
{
	const struct guest_memory memory = {
		.ram = guest_ram, .bytes = sizeof(guest_ram), .flash = flash, .flash_bytes = sizeof(flash)};
	const struct guest_memory without = {.ram = guest_ram, .bytes = sizeof(guest_ram)};
	uint8_t bytes[8];
	uint64_t offset;
	flash_fill();
	cr_assert(guest_memory_read_physical(memory, (ipa_t){0x2004}, bytes, 8));
	cr_expect_eq(memcmp(bytes, flash + 0x2004, 8), 0);
	cr_expect(guest_memory_read_physical(memory, (ipa_t){sizeof(flash) - 8}, bytes, 8));
	cr_expect_not(guest_memory_read_physical(memory, (ipa_t){sizeof(flash) - 7}, bytes, 8));
	cr_expect_not(guest_memory_read_physical(memory, (ipa_t){sizeof(flash) + 8}, bytes, 8));
	cr_expect_not(guest_memory_read_physical(without, (ipa_t){0}, bytes, 8));
	cr_expect_not(guest_memory_read_physical(without, (ipa_t){8}, bytes, 8));
	cr_expect_not(guest_memory_offset(memory, (ipa_t){0x2004}, 8, &offset), "nothing is written there");
}

static void hash_of(const struct machine *machine, char text[STATE_HASH_TEXT_BYTES])
{
	cr_assert(state_hash(machine, NULL, text, &error), "%s", error.text);
}

Test(firmware, a_machine_takes_what_fits_into_a_bank_and_its_hash_tells)
{
	char empty[STATE_HASH_TEXT_BYTES], one[STATE_HASH_TEXT_BYTES], other[STATE_HASH_TEXT_BYTES];
	struct machine *machine = machine_create(RAM_BYTES, 1, &error);
	cr_assert(machine, "%s", error.text);
	cr_expect_eq(machine->boot->flash_pa % FLASH_BLOCK, 0);
	cr_expect_eq(machine->boot->flash_bytes, 0);
	hash_of(machine, empty);
	flash_fill();
	cr_expect_not(machine_flash_put(machine, GUEST_FLASH_BANK_BYTES - 4, flash, 5));
	cr_expect_not(machine_flash_put(machine, UINT64_MAX, flash, 1));
	cr_expect_eq(machine->boot->flash_bytes, 0);
	cr_expect(machine_flash_put(machine, 4096, flash, 5000));
	cr_expect_eq(machine->boot->flash_bytes, FLASH_BLOCK);
	cr_expect_eq(memcmp(machine->guest_flash + 4096, flash, 5000), 0);
	hash_of(machine, one);
	machine->guest_flash[6000] ^= 1;
	hash_of(machine, other);
	cr_expect_str_neq(empty, one);
	cr_expect_str_neq(one, other);
	cr_expect(machine_flash_put(machine, GUEST_FLASH_BANK_BYTES - 5, flash, 5));
	cr_expect_eq(machine->boot->flash_bytes, GUEST_FLASH_BANK_BYTES);
	machine_destroy(machine);
}

/* A trace of a guest whose RAM is zero, with `piece` as what is in flash, as far as a replay needs it. */
static void trace_write(const char *path, const char *piece, const void *data, size_t bytes)
{
	char hash[STATE_HASH_TEXT_BYTES];
	struct machine *machine = machine_create(RAM_BYTES, 1, &error);
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(machine && w, "%s", error.text);
	machine_flash_put(machine, 0, data, bytes);
	hash_of(machine, hash);
	cr_assert(trace_put_text(w, TRACE_META_INITIAL_RAM_HASH, hash, &error) &&
			  trace_put_u64(w, TRACE_META_MACHINE_VERSION, GUEST_MACHINE_VERSION, &error) &&
			  trace_put_u64(w, TRACE_META_RAM_BYTES, RAM_BYTES, &error) &&
			  trace_put_u64(w, TRACE_META_VCPU_COUNT, 1, &error) &&
			  trace_put_u64(w, TRACE_META_ENTRY_IPA, 0, &error) &&
			  trace_put_u64(w, TRACE_META_DTB_IPA, 0, &error) &&
			  trace_put_u64(w, TRACE_META_RTC_BASE_S, 0, &error) &&
			  trace_put_file(w, piece, data, bytes, &error) && trace_commit(w, &error),
		  "%s", error.text);
	trace_writer_free(w);
	machine_destroy(machine);
}

/* The machine that a replay of such a trace starts; NULL: error set. */
static struct machine *restored(const char *piece, const void *data, size_t bytes)
{
	char path[] = "/tmp/hvrec-firmware-XXXXXX";
	struct machine_config config = {0};
	int fd = mkstemp(path);
	cr_assert(fd >= 0);
	close(fd);
	error = (struct error){0};
	trace_write(path, piece, data, bytes);
	struct trace_reader *r = trace_open(path, &error);
	cr_assert(r, "%s", error.text);
	struct machine *machine = guest_restore(r, &config, &error);
	trace_close(r);
	unlink(path);
	return machine;
}

Test(firmware, a_replay_has_it_in_flash)
{
	flash_fill();
	struct machine *machine = restored("flash/0", flash, 70000);
	cr_assert(machine, "%s", error.text);
	cr_expect_eq(memcmp(machine->guest_flash, flash, 70000), 0);
	cr_expect_eq(machine->boot->flash_bytes, FLASH_BLOCK);
	machine_destroy(machine);
}

Test(firmware, a_damaged_trace_of_it_is_refused)
{
	static const char *const pieces[] = {"flash/3ffffff", "flash/8000000", "flash/zzz", "flash/ffffffffffffffff"};
	flash_fill();
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		cr_expect_null(restored(pieces[i], flash, 8), "%s", pieces[i]);
		cr_expect(strstr(error.text, "damaged"), "%s: %s", pieces[i], error.text);
	}
	cr_expect_null(restored("flash/1000", flash, 8), "not where it was recorded");
	cr_expect_null(restored("flush/0", flash, 8), "none at all");
}
