/* Option values: whole text or nothing, and an error that names both; and the table from which a command line is read.
 */
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

static void expect_bad(option_take *parse)
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
	cr_expect(options_jobs("--jobs", "1", &jobs, &error));
	cr_expect_eq(jobs, 1);
	cr_expect(options_jobs("--jobs", "64", &jobs, &error));
	cr_expect_eq(jobs, 64);
	for (size_t i = 0; i < sizeof(no_jobs) / sizeof(no_jobs[0]); i++) {
		error = (struct error){0};
		cr_expect_not(options_jobs("--jobs", no_jobs[i], &jobs, &error), "%s", no_jobs[i]);
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

struct taken {
	const char *name, *place;
	uint64_t count;
	bool quiet, counted;
};

static bool place_take(const char *option, const char *text, void *into, struct error *error)
{
	return options_text(option, text ? text : "nowhere", into, error);
}

static const struct option_row rows[] = {
	{"name", 'n', "NAME", "a name", options_text, offsetof(struct taken, name)},
	{"place", 0, "[=PLACE]", "a place", place_take, offsetof(struct taken, place)},
	{"count", 'c', "N", "a number", options_count, offsetof(struct taken, count)},
	{"quiet", 'q', NULL, "nothing printed", options_flag, offsetof(struct taken, quiet)},
	{"counted", 0, NULL, "nothing", options_flag, offsetof(struct taken, counted)},
	{0},
};

static const struct command_options any_order = {
	.head = "usage\n", .rows = rows, .argument_min = 1, .argument_max = 2, .arguments = "one or two files"};
static const struct command_options options_first = {
	.head = "usage\n", .rows = rows, .argument_max = 9, .options_first = true};

enum { WORDS_MAX = 12 };

/* A command line, ended by NULL, which options_parse permutes in `argv`. */
static int parse(const struct command_options *command, const char *const *words, char **argv, struct taken *taken,
		 struct error *error)
{
	int argc = 0;
	for (; words[argc]; argc++)
		argv[argc] = (char *)words[argc];
	argv[argc] = NULL;
	*taken = (struct taken){0};
	*error = (struct error){.status = STATUS_OK};
	return options_parse(command, argc, argv, taken, error);
}

Test(options, a_row_takes_its_value_wherever_it_stands)
{
	static const char *const lines[][WORDS_MAX] = {
		{"do", "--name", "x", "--count=2k", "--place=here", "--quiet", "file"},
		{"do", "file", "-nx", "-c", "2000", "--place=here", "-q"},
		{"do", "-qn", "x", "file", "--nam", "x", "-c", "2_000", "--place=here"},
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char *argv[WORDS_MAX];
		struct taken taken;
		struct error error;
		int first = parse(&any_order, lines[i], argv, &taken, &error);
		cr_assert_neq(first, 0, "line %zu: %s", i, error.text);
		cr_expect_str_eq(argv[first], "file");
		cr_expect_str_eq(taken.name, "x");
		cr_expect_str_eq(taken.place, "here");
		cr_expect_eq(taken.count, 2000);
		cr_expect(taken.quiet);
	}
}

Test(options, a_value_that_may_be_left_out_is_only_that_after_the_equals_sign)
{
	static const char *const line[] = {"do", "--place", "there", NULL};
	char *argv[WORDS_MAX];
	struct taken taken;
	struct error error;
	int first = parse(&any_order, line, argv, &taken, &error);
	cr_assert_neq(first, 0);
	cr_expect_str_eq(argv[first], "there");
	cr_expect_str_eq(taken.place, "nowhere");
}

Test(options, what_follows_a_payload_is_its_own)
{
	static const char *const line[] = {"do", "-q", "payload", "--name", "x", NULL};
	static const char *const none[] = {"do", NULL};
	char *argv[WORDS_MAX];
	struct taken taken;
	struct error error;
	cr_expect_eq(parse(&options_first, line, argv, &taken, &error), 2);
	cr_expect(taken.quiet && !taken.name);
	cr_expect_str_eq(argv[3], "--name");
	cr_expect_eq(parse(&options_first, none, argv, &taken, &error), 1); /* argc: no argument */
	cr_expect_eq(error.status, STATUS_OK);
}

Test(options, what_is_given_wrongly_is_named)
{
	static const struct {
		const char *line[WORDS_MAX];
		const char *words;
	} cases[] = {
		{{"do", "file", "--nonsense"}, "option --nonsense is unknown; see `hvrec do --help`"},
		{{"do", "-z", "file"}, "option -z is unknown"},
		{{"do", "--cou", "3", "file"}, "option --cou is ambiguous"},
		{{"do", "file", "--name"}, "option --name lacks its value"},
		{{"do", "file", "-c"}, "option -c lacks its value"},
		{{"do", "file", "--quiet=yes"}, "option --quiet=yes takes no value"},
		{{"do", "file", "--help=3"}, "option --help=3 takes no value"},
		{{"do", "file", "-\xc3\xa9"}, "an option letter is no ASCII"},
		{{"do", "--count", "many", "file"}, "--count many is not a number of instructions"},
		{{"do", "-c", "many", "file"}, "--count many is not a number of instructions"},
		{{"do"}, "give one or two files; see `hvrec do --help`"},
		{{"do", "a", "-q", "b", "c"}, "give one or two files"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[WORDS_MAX];
		struct taken taken;
		struct error error;
		cr_expect_eq(parse(&any_order, cases[i].line, argv, &taken, &error), 0);
		cr_expect_eq(error.status, STATUS_FAILED);
		cr_expect(strstr(error.text, cases[i].words), "%s, not: %s", cases[i].words, error.text);
	}
}
