/* Reading files whole, and the hash of a guest. */
#include "hv/host/path.h"
#include "hv/host/state_hash.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(files, .timeout = 900);

static void write_file(char path[], const void *data, size_t bytes)
{
	int fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, data, bytes), (ssize_t)bytes);
	close(fd);
}

Test(files, a_file_is_read_whole_with_a_nul_behind_it)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000};
	static char data[100000];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char path[] = "/tmp/hvrec-test-files-XXXXXX";
		struct error error = {0};
		size_t bytes = 1;
		write_file(path, data, sizes[i]);
		char *got = path_read_file(path, "kernel", &bytes, &error);
		cr_assert(got, "%s", error.text);
		cr_assert_eq(bytes, sizes[i]);
		cr_assert_eq(memcmp(got, data, bytes), 0);
		cr_assert_eq(got[bytes], 0);
		free(got);
		unlink(path);
	}
}

Test(files, a_pipe_has_no_size_and_is_read_all_the_same)
{
	struct error error = {0};
	int ends[2];
	char path[64], data[10000] = {1};
	size_t bytes;
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], data, sizeof(data)), (ssize_t)sizeof(data));
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	void *got = path_read_file(path, "initrd", &bytes, &error);
	cr_assert(got, "%s", error.text);
	cr_assert_eq(bytes, sizeof(data));
	free(got);
}

Test(files, what_cannot_be_read_is_named_with_its_role)
{
	static const char *const paths[] = {"/nowhere/kernel", "/tmp", "/proc/self/mem"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct error error = {0};
		size_t bytes;
		cr_expect_null(path_read_file(paths[i], "kernel", &bytes, &error), "%s", paths[i]);
		cr_expect(strstr(error.text, "kernel") && strstr(error.text, paths[i]), "%s", error.text);
	}
}

Test(files, the_hypervisor_is_beside_the_program_or_missed_by_name)
{
	struct error error = {0};
	char *path = path_hv_image(&error);
	if (path)
		cr_assert_eq(access(path, R_OK), 0);
	else
		cr_assert(strstr(error.text, "hv.elf") && strstr(error.text, "make"), "%s", error.text);
	free(path);
}

/* ---- the state hash ---- */

enum { RAM_BYTES = 8 << 20, PAGE = 4096 };

static struct machine *machine_new(void)
{
	struct error error = {0};
	struct machine *machine = machine_create(RAM_BYTES, 1, &error);
	cr_assert(machine, "%s", error.text);
	return machine;
}

static const char *hash_of(const struct machine *machine, const struct guest_state *state)
{
	static char texts[4][STATE_HASH_TEXT_BYTES];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	struct error error = {0};
	cr_assert(state_hash(machine, state, text, &error), "%s", error.text);
	cr_assert_eq(strlen(text), STATE_HASH_TEXT_BYTES - 1);
	return text;
}

Test(files, equal_ram_has_equal_hashes_whether_it_was_touched_or_not)
{
	struct machine *a = machine_new(), *b = machine_new();
	cr_assert_str_eq(hash_of(a, NULL), hash_of(b, NULL));
	memset(a->guest_ram + 3 * PAGE, 0, 5 * PAGE); /* in a, these are no holes any more */
	cr_assert_str_eq(hash_of(a, NULL), hash_of(b, NULL));
	a->guest_ram[7 * PAGE + 9] = 1;
	cr_assert_str_neq(hash_of(a, NULL), hash_of(b, NULL));
	b->guest_ram[7 * PAGE + 9] = 1;
	cr_assert_str_eq(hash_of(a, NULL), hash_of(b, NULL));
	machine_destroy(a);
	machine_destroy(b);
}

Test(files, a_page_counts_with_its_place)
{
	static const size_t places[] = {0, PAGE - 1, PAGE, RAM_BYTES - PAGE, RAM_BYTES - 1};
	struct machine *machine = machine_new();
	char empty[STATE_HASH_TEXT_BYTES], before[STATE_HASH_TEXT_BYTES] = "";
	strcpy(empty, hash_of(machine, NULL));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		machine->guest_ram[places[i]] = 0x5a;
		cr_expect_str_neq(hash_of(machine, NULL), empty, "byte %zu", places[i]);
		cr_expect_str_neq(hash_of(machine, NULL), before, "byte %zu", places[i]);
		strcpy(before, hash_of(machine, NULL));
		machine->guest_ram[places[i]] = 0;
	}
	cr_assert_str_eq(hash_of(machine, NULL), empty);
	machine_destroy(machine);
}

Test(files, what_is_not_the_guests_does_not_count)
{
	struct machine *machine = machine_new();
	char empty[STATE_HASH_TEXT_BYTES];
	strcpy(empty, hash_of(machine, NULL));
	machine->mailbox->now_n = 5;
	machine->events[3].n = 7;
	machine->input[0] = 1;
	machine->guest_ram[-1] = 1;
	cr_assert_str_eq(hash_of(machine, NULL), empty);
	machine_destroy(machine);
}

Test(files, every_byte_of_the_state_counts)
{
	struct machine *machine = machine_new();
	struct guest_state *state = calloc(1, sizeof(*state));
	char empty[STATE_HASH_TEXT_BYTES];
	machine->boot->machine_version = GUEST_MACHINE_VERSION;
	strcpy(empty, hash_of(machine, state));
	cr_assert_str_neq(empty, hash_of(machine, NULL));
	for (size_t i = 0; i < sizeof(*state); i += i + 101 < sizeof(*state) ? 101 : 1) {
		((uint8_t *)state)[i] ^= 1;
		cr_expect_str_neq(hash_of(machine, state), empty, "byte %zu", i);
		((uint8_t *)state)[i] ^= 1;
	}
	free(state);
	machine_destroy(machine);
}
