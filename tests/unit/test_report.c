/* The report's data: text that stays text inside a page, sums that add up, and bounds that hold. */
#include "hv/abi/machine.h"
#include "hv/host/virtio_list.h"
#include "tools/report/report_bins.h"
#include "tools/report/report_console.h"
#include "tools/report/report_counts.h"
#include "tools/report/report_devices.h"
#include "tools/report/report_events.h"
#include "tools/report/report_names.h"
#include "tools/report/report_texts.h"
#include "tools/report/report_vcpus.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(report);

static char *written; /* what the last stream got; malloc */
static size_t written_bytes;

static FILE *stream;
static struct json *data; /* of the page, into the stream */
static struct error data_error;

/* Begins an object, for one member. */
static struct json *data_begin(void)
{
	free(written);
	stream = open_memstream(&written, &written_bytes);
	data_error = (struct error){.status = STATUS_OK};
	data = json_new(stream, JSON_SCRIPT, &data_error);
	cr_assert(data);
	json_object(data, NULL);
	return data;
}

static const char *data_end(void)
{
	json_object_end(data);
	json_free(data);
	fclose(stream);
	return written;
}

Test(report, bins_hold_every_event_and_all_idle_time)
{
	struct error error = {.status = STATUS_OK};
	uint64_t length_ns = 1000 * REPORT_BIN_COUNT - 1, events = 0, idle_ns = 0;
	struct report_bins *bins = report_bins_new(length_ns, &error);
	cr_assert(bins);
	cr_expect_eq(bins->bin_ns, 1000);
	struct event idle = {.n = 500, .kind = EVENT_IDLE, .value = 2600};
	struct event print = {.n = 999, .kind = EVENT_MMIO_WRITE, .address = GUEST_UART_IPA, .value = 'x', .size = 1};
	struct event late = {.n = UINT64_MAX, .kind = 999};
	report_bins_add(bins, &idle, &(struct report_place){0});
	report_bins_add(bins, &print, &(struct report_place){1, 2600});
	report_bins_add(bins, &late, &(struct report_place){2, 0});
	cr_expect_eq(bins->idle_ns[0], 500);
	cr_expect_eq(bins->idle_ns[1], 1000);
	cr_expect_eq(bins->idle_ns[3], 100);
	cr_expect_eq(bins->counts[EVENT_MMIO_WRITE][3], 1);
	cr_expect_eq(bins->counts[REPORT_SERIES_CONSOLE][3], 1);
	cr_expect_eq(bins->first_n[3], 999);
	cr_expect_eq(bins->counts[0][REPORT_BIN_COUNT - 1], 1);
	for (size_t i = 0; i < REPORT_BIN_COUNT; i++) {
		events += bins->events[i];
		idle_ns += bins->idle_ns[i];
	}
	cr_expect_eq(events, 3);
	cr_expect_eq(idle_ns, 2600);
	free(bins);
}

static uint64_t sum_ns(const struct report_vcpus *vcpus, uint32_t vcpu, enum report_doing doing)
{
	uint64_t all = 0;
	for (size_t bin = 0; bin < REPORT_BIN_COUNT; bin++)
		all += vcpus->ns[vcpu][doing][bin];
	return all;
}

/* In each bin every vCPU does something all the time, and all of it is what the numbers say. */
Test(report, bins_hold_what_each_vcpu_does)
{
	struct error error = {.status = STATUS_OK};
	uint64_t idle_ns = 0, random = 99, n = 100;
	const uint64_t switch_count = REPORT_CHANGES_MAX / 4;
	struct report_facts facts = {.vcpu_count = 3, .start_n = 100, .start_ns = 100};
	struct report_bins *bins = report_bins_new(400 * switch_count, &error);
	struct report_vcpus *vcpus = report_vcpus_new(&facts, bins, &error);
	cr_assert(vcpus);
	for (uint64_t i = 0; i < 2 * switch_count; i++) {
		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		struct event event = {.n = n += random >> 56, .vcpu = (uint8_t)(i / 2 % 3), .kind = EVENT_IDLE};
		event.value = i % 64 == 0 ? 500 : 0;
		if (i % 2)
			event = (struct event){.n = n,
					       .vcpu = event.vcpu,
					       .address = (event.vcpu + 1u) % 3,
					       .value = 1 + (random >> 40) % 5,
					       .kind = EVENT_SWITCH};
		report_vcpus_add(vcpus, &event, &(struct report_place){i, idle_ns});
		idle_ns += event_idle_ns(&event);
	}
	report_vcpus_end(vcpus, n);
	for (uint32_t i = 0; i < 3; i++) {
		const struct trace_stat_vcpu *vcpu = &vcpus->stat.at[i];
		cr_expect_eq(sum_ns(vcpus, i, REPORT_RUNS), vcpu->instructions);
		cr_expect_eq(sum_ns(vcpus, i, REPORT_READY), vcpu->ready_ns);
		cr_expect_eq(sum_ns(vcpus, i, REPORT_WAITS), vcpu->waits_ns);
		cr_expect_eq(sum_ns(vcpus, i, REPORT_OFF), vcpu->off_ns);
	}
	for (size_t bin = 1; bin < (n + idle_ns) / bins->bin_ns; bin++) {
		for (int doing = 0, all = 0; doing < REPORT_DOING_COUNT; doing++) {
			all += (int)vcpus->ns[1][doing][bin];
			cr_assert(doing < REPORT_RUNS || all == (int)bins->bin_ns, "bin %zu: %d ns", bin, all);
		}
	}
	report_vcpus_json(vcpus, data_begin());
	cr_expect_eq(vcpus->change_count <= REPORT_CHANGES_MAX, strstr(data_end(), "\"changes\":[") != NULL);
	free(vcpus);
	free(bins);
}

Test(report, bins_hold_what_devices_moved)
{
	static const struct event events[] = {
		{.kind = EVENT_DISK_READ, .n = 5, .address = UINT64_C(2) << 56, .value = UINT64_C(512) << 32},
		{.kind = EVENT_DISK_READ, .n = 6, .address = UINT64_C(2) << 56 | 9, .value = UINT64_C(1024) << 32},
		{.kind = EVENT_DISK_WRITE, .n = 2005, .address = UINT64_C(2) << 56, .value = UINT64_C(4096) << 32},
		{.kind = EVENT_PACKET_OUT, .n = 1000, .address = 3, .value = UINT64_C(60) << 32},
		{.kind = EVENT_DISK_ZERO, .n = 1000, .address = UINT64_C(2) << 56, .value = 512},
		{.kind = EVENT_PACKET_IN, .n = 1000, .address = UINT64_MAX, .value = UINT64_C(60) << 32},
		{.kind = EVENT_DISK_READ, .n = 1000, .address = UINT64_C(99) << 56, .value = UINT64_C(60) << 32},
	};
	struct error error = {.status = STATUS_OK};
	struct virtio_list list;
	struct report_bins *bins = report_bins_new(1000 * REPORT_BIN_COUNT - 1, &error);
	struct report_devices *devices = report_devices_new(&list, bins, &error);
	cr_assert(devices && virtio_list_parse("2 disk 64 rw vda \n3 net 52:54:00:00:00:01\n4 rng\n", &list, &error));
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		report_devices_add(devices, &events[i], &(struct report_place){i, 100});
	report_devices_json(devices, data_begin());
	const char *text = data_end();
	cr_expect(strstr(text, "{\"name\":\"vda\",\"disk\":true,\"into\":[0,1536],\"out\":[2,4096]}"), "%s", text);
	cr_expect(strstr(text, "{\"name\":\"virtio3\",\"disk\":false,\"into\":[],\"out\":[1,60]}"), "%s", text);
	cr_expect_not(strstr(text, "virtio4"), "no lane for random bytes");
	free(devices);
	free(bins);
}

Test(report, an_empty_run_and_endless_idle_time_have_bins)
{
	struct error error = {.status = STATUS_OK};
	struct event idle = {.kind = EVENT_IDLE, .value = UINT64_MAX};
	static const uint64_t lengths_ns[] = {0, 1, UINT64_MAX};
	for (size_t i = 0; i < 3; i++) {
		uint64_t idle_ns = 0;
		struct report_bins *bins = report_bins_new(lengths_ns[i], &error);
		cr_assert(bins);
		report_bins_add(bins, &idle, &(struct report_place){0});
		for (size_t bin = 0; bin < REPORT_BIN_COUNT; bin++)
			idle_ns += bins->idle_ns[bin];
		cr_expect_eq(idle_ns, UINT64_MAX);
		free(bins);
	}
}

Test(report, the_threshold_keeps_the_emptiest_bins)
{
	struct error error = {.status = STATUS_OK};
	struct report_bins *bins = report_bins_new(0, &error);
	cr_assert(bins);
	cr_expect_eq(report_bins_threshold(bins, 10), 0);
	bins->events[5] = 3;
	bins->events[6] = 3;
	bins->events[9] = 4;
	cr_expect_eq(report_bins_threshold(bins, 10), 4);
	cr_expect_eq(report_bins_threshold(bins, 9), 3);
	cr_expect_eq(report_bins_threshold(bins, 5), 0);
	free(bins);
}

Test(report, counts_find_the_most_frequent)
{
	struct error error = {.status = STATUS_OK};
	struct report_counts counts = {0};
	struct report_count top[3];
	cr_expect_eq(report_counts_top(&counts, top, 3), 0);
	for (uint64_t key = 0; key < 5000; key++) {
		uint64_t wanted = key == 77 ? 3 : key == 4000 ? 2 : 1;
		for (uint64_t times = 0; times < wanted; times++)
			cr_assert(report_counts_add(&counts, key << 32, times & 1, key + times, &error));
	}
	cr_assert_eq(report_counts_top(&counts, top, 3), 3);
	cr_expect_eq(top[0].key, UINT64_C(77) << 32);
	cr_expect(top[0].counts[0] == 2 && top[0].counts[1] == 1 && top[0].first_n == 77);
	cr_expect_eq(top[1].key, UINT64_C(4000) << 32);
	cr_expect_eq(top[2].key, 0);
	cr_expect_eq(counts.key_count, 5000);
	report_counts_free(&counts);
}

Test(report, counts_are_bounded)
{
	struct error error = {.status = STATUS_OK};
	struct report_counts counts = {0};
	for (uint64_t key = 0; key < REPORT_COUNTS_KEYS_MAX + 10; key++)
		cr_assert(report_counts_add(&counts, key, 0, 0, &error));
	cr_assert(report_counts_add(&counts, 5, 0, 0, &error));
	cr_expect_eq(counts.key_count, REPORT_COUNTS_KEYS_MAX);
	cr_expect_eq(counts.others, 10);
	report_counts_free(&counts);
}

Test(report, texts_are_numbered_once)
{
	struct error error = {.status = STATUS_OK};
	struct report_texts *texts = report_texts_new(2, &error);
	uint32_t number;
	cr_assert(texts);
	cr_expect(report_texts_add(texts, "a", &number, &error) && number == 0);
	cr_expect(report_texts_add(texts, "<", &number, &error) && number == 1);
	cr_expect(report_texts_add(texts, "a", &number, &error) && number == 0);
	cr_expect(!report_texts_add(texts, "c", &number, &error) && error.status == STATUS_FAILED);
	report_texts_json(texts, "texts", data_begin());
	cr_expect_str_eq(data_end(), "{\"texts\":[\"a\",\"\\u003c\"]}");
	report_texts_free(texts);
}

/* Prints a text at one instruction a byte. */
static void print(struct report_console *console, const char *text, uint64_t *n)
{
	struct error error = {.status = STATUS_OK};
	for (; *text; text++) {
		struct event event = {.n = (*n)++,
				      .kind = EVENT_MMIO_WRITE,
				      .address = GUEST_UART_IPA,
				      .value = (uint8_t)*text,
				      .size = 1};
		cr_assert(report_console_add(console, &event, &(struct report_place){.idle_ns = 7}, &error));
	}
}

static const char *console_json(const struct report_console *console)
{
	report_console_json(console, data_begin());
	return data_end();
}

Test(report, console_lines_have_places)
{
	struct error error = {.status = STATUS_OK};
	uint64_t n = 100;
	struct report_console *console = report_console_new(9, 3, &error);
	cr_assert(console);
	print(console, "ab\r\n\nc<\r d", &n);
	cr_expect_str_eq(console_json(console),
			 "{\"console\":{\"bytes\":9,\"lines\":3,\"head\":3\n,\"places\":[100,7,4,0,1,0]\n"
			 ",\"cut\":{}\n,\"text\":[\n\"ab\"\n,\"\"\n,\"c\\u003c\\r d\"]}}");
	report_console_free(console);
}

Test(report, a_long_console_keeps_both_ends)
{
	struct error error = {.status = STATUS_OK};
	uint64_t n = 0, lines = 50000;
	char line[32];
	struct report_console *console = report_console_new(lines * 6, lines, &error);
	cr_assert(console);
	for (uint64_t i = 0; i < lines; i++) {
		snprintf(line, sizeof(line), "%05u\n", (unsigned)i);
		print(console, line, &n);
	}
	const char *json = console_json(console);
	cr_expect(strstr(json, "\"head\":4000"));
	cr_expect(strstr(json, "\"03999\"\n,\"42000\""));
	cr_expect(strstr(json, "\"49999\"]}}"));
	report_console_free(console);
}

Test(report, an_endless_line_is_cut)
{
	struct error error = {.status = STATUS_OK};
	uint64_t n = 0;
	struct report_console *console = report_console_new(3000, 1, &error);
	cr_assert(console);
	for (int i = 0; i < 3000; i++)
		print(console, "x", &n);
	cr_expect(strstr(console_json(console), "\"cut\":{\"0\":1000}"));
	cr_expect_lt(written_bytes, 2200);
	report_console_free(console);
}

/* The number of events kept of a run of `count` device reads and one END, `per_bin` of them in a bin at most. */
static unsigned kept(uint64_t count, uint64_t distance_ns)
{
	struct error error = {.status = STATUS_OK};
	struct report_facts facts = {.counts = {[EVENT_MMIO_READ] = count, [EVENT_END] = 1}};
	struct report_bins *bins = report_bins_new(count * distance_ns, &error);
	const struct symbols names = {0};
	cr_assert(bins);
	for (uint64_t i = 0; i <= count; i++)
		report_bins_add(bins,
				&(struct event){.n = i * distance_ns, .kind = i < count ? EVENT_MMIO_READ : EVENT_END},
				&(struct report_place){0});
	struct report_events *events = report_events_new(&facts, bins, &names, &error);
	cr_assert(events);
	for (uint64_t i = 0; i <= count; i++)
		cr_assert(report_events_add(events,
					    &(struct event){.n = i * distance_ns,
							    .kind = i < count ? EVENT_MMIO_READ : EVENT_END,
							    .value = i},
					    &(struct report_place){.index = i}, &error));
	report_events_json(events, data_begin());
	unsigned number = 0;
	sscanf(strstr(data_end(), "\"kept\":"), "\"kept\":%u", &number);
	report_events_free(events);
	free(bins);
	return number;
}

Test(report, single_events_are_bounded)
{
	cr_expect_eq(kept(0, 1), 1);
	cr_expect_eq(kept(1000, 1000), 1001);
	cr_expect_eq(kept(REPORT_EVENTS_MAX - 1, 1000), REPORT_EVENTS_MAX);
	cr_expect_leq(kept(400000, 1000), REPORT_EVENTS_MAX + REPORT_EVENTS_RARE_MAX);
	cr_expect(strstr(written, "13,0,END"), "the one END is not among them");
}

static void expect_name(const struct symbols *names, uint64_t pc, const char *expected)
{
	char text[32];
	report_names_text(names, pc, text, sizeof(text));
	cr_expect_str_eq(text, expected);
}

Test(report, names_are_those_of_functions)
{
	struct error error = {.status = STATUS_OK};
	struct symbols names = {0};
	expect_name(&names, 0x1000, "0000000000001000");
	cr_assert(symbols_add(&names, 0x2000, 'T', "second", 6, &error));
	cr_assert(symbols_add(&names, 0x1000, 't', "first", 5, &error));
	cr_assert(symbols_add(&names, 0x1000, 't', "alias", 5, &error));
	cr_assert(symbols_add(&names, 0x3000, 'D', "data", 4, &error));
	symbols_sort(&names);
	expect_name(&names, 0xfff, "0000000000000fff");
	expect_name(&names, 0x1000, "first");
	expect_name(&names, 0x1ffc, "first+0xffc");
	expect_name(&names, 0x2004, "second+0x4");
	expect_name(&names, 0x3000, "0000000000003000");
	expect_name(&names, UINT64_MAX, "ffffffffffffffff");
	cr_expect_eq(report_names_function(&names, 0x1ffc), 0x1000);
	cr_expect_eq(report_names_function(&names, 0xfff), 0xfff);
	symbols_free(&names);
}
