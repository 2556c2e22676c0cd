/* Option values: whole text or nothing, and an error that names both. */
#include "tools/options.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(options);

struct option_case {
	const char *text;
	uint64_t value;
};

static const char *const bad[] = {"",
				  " 5",
				  "-1",
				  "+1",
				  "0x",
				  "0xg",
				  "5mm",
				  "5x",
				  "k",
				  "1.5",
				  "1e3",
				  "5 ",
				  "１",
				  "18446744073709551616",
				  "18446744073709551615k",
				  "0x10000000000000000",
				  "99999999999999999999999999g"};

static void expect_bad(bool (*parse)(const char *, const char *, uint64_t *, struct error *))
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error error = {0};
		uint64_t value = 42;
		cr_expect_not(parse("--option", bad[i], &value, &error), "\"%s\"", bad[i]);
		cr_expect_eq(error.status, STATUS_FAILED);
		cr_expect(strstr(error.text, "--option") && strstr(error.text, bad[i]), "%s", error.text);
		cr_expect_eq(value, 42);
	}
}

Test(options, counts)
{
	static const struct option_case cases[] = {
		{"0", 0},           {"1500000", 1500000}, {"12k", 12000}, {"3M", 3000000},
		{"2G", 2000000000}, {"0x20", 32},         {"010", 10},    {"18446744073709551615", UINT64_MAX}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {0};
		uint64_t value = 1;
		cr_expect(options_count("--max", cases[i].text, &value, &error), "%s", cases[i].text);
		cr_expect_eq(value, cases[i].value, "%s", cases[i].text);
	}
	expect_bad(options_count);
}

Test(options, sizes)
{
	static const struct option_case cases[] = {{"512", UINT64_C(512) << 20},
						   {"512M", UINT64_C(512) << 20},
						   {"64k", 65536},
						   {"2g", UINT64_C(2) << 30},
						   {"0x10", UINT64_C(16) << 20}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {0};
		uint64_t bytes = 1;
		cr_expect(options_size("--memory", cases[i].text, &bytes, &error), "%s", cases[i].text);
		cr_expect_eq(bytes, cases[i].value, "%s", cases[i].text);
	}
	expect_bad(options_size);
}

Test(options, seconds)
{
	static const char *const not_seconds[] = {"", "0", "-1", "nan", "inf", "1s", "x", "1e999"};
	struct error error = {0};
	double seconds = 0;
	cr_assert(options_seconds("--timeout", "1.5", &seconds, &error));
	cr_assert_eq(seconds, 1.5);
	for (size_t i = 0; i < sizeof(not_seconds) / sizeof(not_seconds[0]); i++) {
		error = (struct error){0};
		cr_expect_not(options_seconds("--timeout", not_seconds[i], &seconds, &error), "%s", not_seconds[i]);
		cr_expect(strstr(error.text, "--timeout"));
	}
}

Test(options, jobs)
{
	static const char *const no_jobs[] = {"", "0", "-1", "65", "2x", "many", "99999999999999999999"};
	struct error error = {0};
	unsigned jobs = 0;
	cr_expect(options_jobs("1", &jobs, &error));
	cr_expect_eq(jobs, 1);
	cr_expect(options_jobs("64", &jobs, &error));
	cr_expect_eq(jobs, 64);
	for (size_t i = 0; i < sizeof(no_jobs) / sizeof(no_jobs[0]); i++) {
		error = (struct error){0};
		cr_expect_not(options_jobs(no_jobs[i], &jobs, &error), "%s", no_jobs[i]);
		cr_expect(strstr(error.text, "--jobs"));
	}
	cr_expect_geq(options_jobs_default(), 1);
	cr_expect_leq(options_jobs_default(), 64);
}

Test(options, an_output_is_named_after_its_trace)
{
	static const char *const cases[][2] = {{"a.trace", "a.html"},       {"a", "a.html"},
					       {"dir.d/a", "dir.d/a.html"}, {"dir.d/.a", "dir.d/.a.html"},
					       {"a.b.trace", "a.b.html"},   {"a.html", "a.html.html"}};
	struct error error = {.status = STATUS_OK};
	char path[16];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect(options_output(cases[i][0], ".html", path, sizeof(path), &error));
		cr_expect_str_eq(path, cases[i][1]);
	}
	cr_expect(!options_output("a-much-longer-name", ".html", path, sizeof(path), &error));
	cr_expect_eq(error.status, STATUS_FAILED);
}
