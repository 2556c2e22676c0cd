/* JSON as programs read it and pages hold it: text that stays text, whatever the bytes are; layout; rows. */
#include "tools/json.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(json);

static struct error error;
static char *written; /* malloc */
static size_t written_bytes;
static FILE *to;

static struct json *start(enum json_form form)
{
	error = (struct error){.status = STATUS_OK};
	to = open_memstream(&written, &written_bytes);
	cr_assert(to);
	struct json *json = json_new(to, form, &error);
	cr_assert(json);
	return json;
}

static void expect(struct json *json, const char *expected)
{
	json_free(json);
	fclose(to);
	cr_expect_eq(error.status, STATUS_OK);
	cr_expect_str_eq(written, expected);
	free(written);
}

static void expect_text(enum json_form form, const char *text, size_t bytes, const char *expected)
{
	struct json *json = start(form);
	json_bytes(json, NULL, text, bytes);
	expect(json, expected);
}

Test(json, text_stays_text)
{
	static const struct {
		const char *text, *json, *in_script; /* NULL: the same */
	} cases[] = {
		{"", "\"\"", NULL},
		{"plain/", "\"plain/\"", NULL},
		{"</script><!--", "\"</script><!--\"", "\"\\u003c/script>\\u003c!--\""},
		{"\"a\\b\"", "\"\\\"a\\\\b\\\"\"", NULL},
		{"\n\t\r\x1b\x7f\x01", "\"\\n\\t\\r\\u001B\\u007f\\u0001\"", NULL},
		{"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7\"", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t bytes = strlen(cases[i].text);
		expect_text(JSON_COMPACT, cases[i].text, bytes, cases[i].json);
		expect_text(JSON_SCRIPT, cases[i].text, bytes, cases[i].in_script ? cases[i].in_script : cases[i].json);
	}
	expect_text(JSON_COMPACT, "a\0b", 3, "\"a\\u0000b\"");
}

#define BAD "\xef\xbf\xbd"

Test(json, bytes_that_are_no_text_are_replaced_one_by_one)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{"\xff", "\"" BAD "\""},
		{"\xc3", "\"" BAD "\""},                                              /* cut off */
		{"\xc3\"", "\"" BAD "\\\"\""},                                        /* a quote is not swallowed */
		{"\xe2\x82<", "\"" BAD BAD "\\u003c\""},                              /* nor an angle */
		{"\xc0\xbc", "\"" BAD BAD "\""},                                      /* an overlong angle */
		{"\xe0\x80\xbc", "\"" BAD BAD BAD "\""},                              /* and a longer one */
		{"\xed\xa0\x80", "\"" BAD BAD BAD "\""},                              /* a surrogate */
		{"\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\""},                      /* above U+10FFFF */
		{"\xf0\x8f\xbf\xbf\xf5", "\"" BAD BAD BAD BAD BAD "\""},              /* overlong, and no first byte */
		{"\xf4\x8f\xbf\xbf\xee\x80\x80", "\"\xf4\x8f\xbf\xbf\xee\x80\x80\""}, /* the last one is one */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_text(JSON_SCRIPT, cases[i].text, strlen(cases[i].text), cases[i].json);
	expect_text(JSON_COMPACT, "\xff\0<", 3, "\"" BAD "\\u0000<\"");
}

static void fill(struct json *json)
{
	json_object(json, NULL);
	json_text(json, "te\"xt", "a");
	json_text(json, "none", NULL);
	json_number(json, "all", UINT64_MAX);
	json_hex(json, "hex", UINT64_MAX);
	json_spelled(json, "share", "%.3f", 0.5);
	json_bool(json, "true", true);
	json_array(json, "list");
	json_number(json, NULL, 1);
	json_object(json, NULL);
	json_object_end(json);
	json_array_end(json);
	json_object_end(json);
}

Test(json, values_are_spelled_and_laid_out_as_asked)
{
	struct json *json = start(JSON_COMPACT);
	fill(json);
	expect(json, "{\"te\\\"xt\":\"a\",\"none\":null,\"all\":18446744073709551615,\"hex\":\"0xffffffffffffffff\","
		     "\"share\":0.500,\"true\":true,\"list\":[1,{}]}");
	json = start(JSON_INDENTED);
	json_object(json, NULL);
	json_number(json, "a", 1);
	json_object(json, "b");
	json_bool(json, "c", false);
	json_object_end(json);
	json_object_end(json);
	expect(json, "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": false\n  }\n}\n");
}

Test(json, rows_are_documents_of_their_own)
{
	struct json *json = start(JSON_COMPACT);
	for (uint64_t i = 0; i < 3; i++) {
		json_array(json, NULL);
		json_number(json, NULL, i);
		json_array_end(json);
		json_next(json, "\n");
	}
	expect(json, "[0]\n[1]\n[2]\n");
}

Test(json, without_memory_nothing_is_written)
{
	fill(NULL);
	json_next(NULL, "x");
	json_break(NULL);
	json_free(NULL);
}
