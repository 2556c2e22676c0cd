/* The recorder when memory runs out: each allocation of what it does before and beside the machine fails once. */
#include "hv/host/dirty.h"
#include "hv/host/path.h"
#include "hv/host/state_hash.h"
#include "recorder/guest.h"
#include "recorder/input.h"
#include "recorder/keyframe_writer.h"
#include "recorder/load/layout.h"
#include "recorder/text_watch.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/trace_fixture.h"

#include <time.h>

#define RAM_BYTES (UINT64_C(32) << 20)

TestSuite(fail_recorder, .timeout = 900, .init = fixture_setup, .fini = fixture_teardown);

/* ---- hv/host ---- */

Test(fail_recorder, machine_and_state_hash)
{
	for (struct fail_alloc f = {0}; fail_alloc_next(&f);) {
		char text[STATE_HASH_TEXT_BYTES];
		fail_alloc_arm(&f);
		struct machine *machine = machine_create(RAM_BYTES, 1, &f.error);
		bool good = machine && state_hash(machine, NULL, text, &f.error);
		fail_alloc_judge(&f, good);
		machine_destroy(machine);
	}
}

static void file_write(const char *name, const void *data, size_t bytes)
{
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fixture_store(data, bytes);
}

Test(fail_recorder, read_file)
{
	file_write("file", "text", 4);
	for (struct fail_alloc f = {0}; fail_alloc_next(&f);) {
		size_t bytes = 0;
		fail_alloc_arm(&f);
		char *data = path_read_file(path, "file", &bytes, &f.error);
		fail_alloc_judge(&f, data != NULL);
		cr_assert(!data || (bytes == 4 && strcmp(data, "text") == 0));
		free(data);
	}
}

/* ---- loading ---- */

static struct record_options options(void)
{
	static uint8_t kernel[8192];
	for (size_t i = 0; i < sizeof(kernel); i++)
		kernel[i] = (uint8_t)(i * 31);
	file_write("kernel", kernel, sizeof(kernel));
	static char kernel_path[sizeof(path)];
	strcpy(kernel_path, path);
	snprintf(path, sizeof(path), "%s/t.hvrec", folder);
	return (struct record_options){.kernel = kernel_path, .initrd = kernel_path, .bootargs = "quiet"};
}

Test(fail_recorder, guest_load_and_keep)
{
	struct record_options wanted = options();
	FAIL_ALLOC_BOTH(f)
	{
		struct error error = {0};
		struct guest guest = {0};
		struct machine_config config = {0};
		struct machine *machine = machine_create(RAM_BYTES, 1, &error);
		struct trace_writer *trace = trace_create(path, &error);
		cr_assert(machine && trace, "%s", error.text);
		fail_alloc_arm(&f);
		fail_alloc_judge(&f, guest_load(&guest, &wanted, machine, &config, &f.error) &&
					     guest_keep(&guest, &wanted, machine, &config, trace, &f.error));
		guest_free(&guest);
		trace_writer_free(trace);
		machine_destroy(machine);
	}
}

/* A device tree of the user's, and an Image that is unpacked. */
Test(fail_recorder, layout_of_a_compressed_kernel_with_a_tree)
{
	static uint8_t image[65536], ram[RAM_BYTES];
	struct error error = {0};
	struct guest_layout first = {0};
	memcpy(image + 56, "ARM\x64", 4); /* the arm64 boot protocol's magic */
	image[16 + 2] = 0x10;             /* image_size */
	struct guest_config config = {.kernel = image,
				      .kernel_bytes = sizeof(image),
				      .name = "Image",
				      .ram_bytes = RAM_BYTES,
				      .vcpu_count = 1};
	cr_assert(layout_load(&config, ram, &first, &error), "%s", error.text);
	char command[400];
	file_write("Image", image, sizeof(image));
	snprintf(command, sizeof(command), "gzip -n %s", path);
	cr_assert_eq(system(command), 0);
	strcat(path, ".gz");
	size_t bytes = 0;
	void *packed = path_read_file(path, "kernel", &bytes, &error);
	config.kernel = packed;
	config.kernel_bytes = bytes;
	config.dtb = first.dtb;
	config.dtb_bytes = first.dtb_bytes;
	config.dtb_name = "tree";
	for (struct fail_alloc f = {0}; fail_alloc_next(&f);) {
		struct guest_layout layout;
		fail_alloc_arm(&f);
		fail_alloc_judge(&f, layout_load(&config, ram, &layout, &f.error));
		free(layout.dtb);
	}
	free(packed);
	free(first.dtb);
}

/* ---- input, keyframes, writer ---- */

Test(fail_recorder, text_watch)
{
	for (struct fail_alloc f = {.silent = true}; fail_alloc_next(&f);) {
		struct text_watch watch;
		fail_alloc_arm(&f);
		fail_alloc_judge(&f, text_watch_open(&watch, "login: "));
		cr_assert_not(text_watch_byte(&watch, 'l'));
		text_watch_close(&watch);
	}
}

Test(fail_recorder, input)
{
	static const char *const prompts[] = {"first", "second", NULL};
	static struct hv_mailbox mailbox;
	static struct hv_boot boot = {.input_ring_bytes = 64};
	static uint8_t ring[64];
	static struct machine machine = {.boot = &boot, .mailbox = &mailbox, .input = ring};
	for (struct fail_alloc f = {0}; fail_alloc_next(&f);) {
		struct console console = {.output_fd = -1, .input_fd = -1};
		struct input input;
		fail_alloc_arm(&f);
		bool good = input_open(&input, &machine, &console, prompts, &f.error);
		for (const char *at = "first"; good && *at; at++)
			good = input_see(&input, (uint8_t)*at, &f.error);
		fail_alloc_judge(&f, good);
		input_close(&input);
	}
}

static struct capture *capture_make(uint64_t n)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	capture->pages = calloc(3, sizeof(*capture->pages));
	capture->bytes = calloc(3, TRACE_PAGE_BYTES);
	for (size_t i = 0; i < 3; i++)
		capture->pages[i] = (struct trace_page){i * 2000, capture->bytes + i * TRACE_PAGE_BYTES};
	capture->page_count = 3;
	capture->n = capture->ns = n;
	return capture;
}

/* The first keyframe is forgotten when the third comes. Takes over the captures. */
static bool keyframes_write(struct keyframe_writer *keyframes, struct capture *const captures[3],
			    struct trace_writer *trace, struct error *error)
{
	for (size_t i = 0; i < 3; i++) {
		if (error->status != STATUS_OK) {
			capture_free(captures[i]);
			continue;
		}
		keyframe_writer_begin(keyframes, captures[i]);
		while (keyframe_writer_busy(keyframes, 0) && error->status == STATUS_OK)
			keyframe_writer_step(keyframes, trace, 0, error);
	}
	return error->status == STATUS_OK;
}

/* Which pages hold the same again is known as far as there is memory for it. */
Test(fail_recorder, keyframes)
{
	for (struct fail_alloc f = {.tolerates = true}; fail_alloc_next(&f);) {
		struct error error = {0};
		struct keyframe_writer keyframes = {.keep = {.ns = 1}};
		struct capture *const captures[] = {capture_make(1), capture_make(2), capture_make(3)};
		struct trace_writer *trace = trace_create(path, &error);
		cr_assert(trace, "%s", error.text);
		fail_alloc_arm(&f);
		fail_alloc_judge(&f, keyframes_write(&keyframes, captures, trace, &f.error));
		keyframe_writer_free(&keyframes);
		trace_writer_free(trace);
	}
}

/* The machine's page tables: one level-2 table, with a leaf table for each 2 MiB; every page is dirty. */
Test(fail_recorder, dirty_and_keyframes_take)
{
	struct error error = {0};
	struct machine *machine = machine_create(UINT64_C(2) << 20, 1, &error);
	cr_assert(machine, "%s", error.text);
	uint64_t root_pa = machine->boot->tables_pa, leaf_pa = root_pa + 4096;
	uint64_t *root = (uint64_t *)(void *)(machine->ram + (root_pa - HV_MACHINE_RAM_PA));
	root[GUEST_RAM_IPA >> 21] = leaf_pa;
	for (struct fail_alloc f = {.silent = true}; fail_alloc_next(&f);) {
		struct keyframes keyframes;
		fail_alloc_arm(&f);
		bool good = keyframes_open(&keyframes, machine, 1, 0, &f.error);
		struct capture *capture = NULL;
		if (good) {
			for (uint64_t i = 0; i < 5; i++)
				dirty_set(&keyframes.dirty, i * 7);
			capture = keyframes_take(&keyframes, 0);
		}
		fail_alloc_judge(&f, capture != NULL);
		cr_assert(!capture || capture->page_count == 5);
		capture_free(capture);
		keyframes_close(&keyframes);
	}
	machine_destroy(machine);
}

Test(fail_recorder, writer)
{
	static struct event events[100];
	for (uint64_t i = 0; i < 100; i++)
		events[i] = fixture_event(i);
	for (struct fail_alloc f = {0}; fail_alloc_next(&f);) {
		struct error error = {0};
		struct trace_writer *trace = trace_create(path, &error);
		cr_assert(trace, "%s", error.text);
		fail_alloc_arm(&f);
		struct writer *writer = writer_start(trace, (struct writer_keep){0}, &f.error);
		if (writer)
			writer_give(writer, events, 100);
		bool good = writer && writer_stop(writer, &f.error);
		fail_alloc_judge(&f, good);
		trace_writer_free(trace);
	}
}
