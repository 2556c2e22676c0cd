/* Agent expressions: every opcode by hand, in good and bad code, and the bounds. What gdb itself sends is in
 * test_gdbstub_gdb.c. */
#include "gdbstub/condition.h"
#include "tests/unit/gdbstub_client.h"

static struct toy toy;

static void open_toy(void)
{
	toy_open(&toy, &toy_ops, 10);
}

static void close_toy(void)
{
	toy_close(&toy);
}

TestSuite(gdbstub_expr, .init = open_toy, .fini = close_toy);

/* `code` in hexadecimal; an exact copy on the heap, so that ASan sees a byte read too many. */
static enum agent_expr_status evaluate(const char *code, uint64_t *value)
{
	const size_t count = strlen(code) / 2;
	uint8_t *bytes = malloc(count ? count : 1);

	for (size_t i = 0; i < count; i++) {
		const char digits[3] = {code[2 * i], code[2 * i + 1], '\0'};

		bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	const enum agent_expr_status status = condition_evaluate(bytes, count, &toy_ops, &toy, 0, value);
	free(bytes);
	return status;
}

static void expect_value(const char *code, uint64_t expected)
{
	uint64_t value = ~expected;

	cr_expect_eq(evaluate(code, &value), AGENT_EXPR_OK, "%s", code);
	cr_expect_eq(value, expected, "%s: %llx", code, (unsigned long long)value);
}

static void expect_status(const char *code, enum agent_expr_status expected)
{
	uint64_t value = 77;

	cr_expect_eq(evaluate(code, &value), expected, "%s", code);
	cr_expect_eq(value, 77);
}

#define MINUS_2 "22fe1608" /* const8 fe, ext 8 */

Test(gdbstub_expr, constants)
{
	expect_value("22ff27", 0xff);
	expect_value("23123427", 0x1234);
	expect_value("248234567827", 0x82345678);
	expect_value("25812345678900000127", UINT64_C(0x8123456789000001));
}

Test(gdbstub_expr, arithmetic)
{
	expect_value("220722050227", 12);
	expect_value("220522070327", UINT64_MAX - 1);
	expect_value("220722050427", 35);
	expect_value(MINUS_2 "22020527", UINT64_MAX);
	expect_value(MINUS_2 "22020627", UINT64_MAX / 2);
	expect_value("22f91608"
		     "22020727",
		     UINT64_MAX); /* -7 % 2 */
	expect_value("220722020827", 1);
	expect_value("258000000000000000"
		     "22ff1608"
		     "0527",
		     UINT64_C(1) << 63);
	expect_value("258000000000000000"
		     "22ff1608"
		     "0727",
		     0);
}

Test(gdbstub_expr, shifts)
{
	expect_value("220122040927", 16);
	expect_value("220122400927", 0);
	expect_value(MINUS_2 "22010a27", UINT64_MAX);
	expect_value(MINUS_2 "22ff0a27", UINT64_MAX);
	expect_value(MINUS_2 "22000a27", UINT64_MAX - 1);
	expect_value(MINUS_2 "22400a27", UINT64_MAX);
	expect_value("220822400a27", 0);
	expect_value("220822ff0a27", 0);
	expect_value(MINUS_2 "223f0b27", 1);
	expect_value(MINUS_2 "22400b27", 0);
}

Test(gdbstub_expr, logic_and_comparison)
{
	expect_value("22000e27", 1);
	expect_value("22050e27", 0);
	expect_value("220c220a0f27", 8);
	expect_value("220c220a1027", 14);
	expect_value("220c220a1127", 6);
	expect_value("22001227", UINT64_MAX);
	expect_value("220522051327", 1);
	expect_value("220522061327", 0);
	expect_value(MINUS_2 "22011427", 1);
	expect_value(MINUS_2 "22011527", 0);
	expect_value("2201" MINUS_2 "1427", 0);
	expect_value("2201" MINUS_2 "1527", 1);
	expect_value("220122011427", 0);
}

Test(gdbstub_expr, extensions)
{
	expect_value("22ff160827", UINT64_MAX);
	expect_value("227f160827", 0x7f);
	expect_value("22ff160127", UINT64_MAX);
	expect_value("22ff16ff27", 0xff);
	expect_value("22ff164027", 0xff);
	expect_value("24ffffffff2a1027", 0xffff);
	expect_value(MINUS_2 "2a4027", UINT64_MAX - 1);
	expect_status("22ff160027", AGENT_EXPR_BAD_VALUE);
	expect_status("22ff2a0027", AGENT_EXPR_BAD_VALUE);
}

Test(gdbstub_expr, memory)
{
	static const uint8_t bytes[] = {0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8};

	memcpy(toy.ram + 0xffc, bytes, sizeof bytes);
	expect_value("2440080ffc1727", 0x81);
	expect_value("2440080ffc1827", 0x9281);
	expect_value("2440080ffc1927", 0xb4a39281);
	expect_value("2440080ffc1a27", UINT64_C(0xf8e7d6c5b4a39281)); /* across pages */
	expect_status("24400820001727", AGENT_EXPR_NO_MEMORY);
	expect_status("2440081ffd1927", AGENT_EXPR_NO_MEMORY);
	expect_status("25ffffffffffffffff1a27", AGENT_EXPR_NO_MEMORY);
}

Test(gdbstub_expr, registers)
{
	toy.regs[0][GDB_REG_x3].low = UINT64_C(0x123456789abcdef0);
	expect_value("26000327", UINT64_C(0x123456789abcdef0));
	expect_value("26002027", TOY_VA);
	expect_status("26ffff27", AGENT_EXPR_NO_REGISTER);
	char code[16];
	snprintf(code, sizeof code, "26%04x27", GDB_REG_pmselr_el0);
	expect_status(code, AGENT_EXPR_NO_REGISTER);
}

Test(gdbstub_expr, stack)
{
	expect_value("2205280227", 10);
	expect_value("220522062927", 5);
	expect_value("220522032b0327", UINT64_MAX - 1); /* 3 - 5 */
	expect_value("2201220222033200"
		     "27",
		     3);
	expect_value("2201220222033202"
		     "27",
		     1);
	expect_value("22012202220333"
		     "27",
		     2); /* 3 1 2 */
	expect_value("22012202220333"
		     "2927",
		     1);
	expect_value("22012202220333"
		     "292927",
		     3);
	expect_status("220122023202"
		      "27",
		      AGENT_EXPR_BAD_STACK);
}

Test(gdbstub_expr, jumps)
{
	expect_value("220120000822aa2722bb27", 0xbb);
	expect_value("220020000822aa2722bb27", 0xaa);
	expect_value("22cc21000722aa27", 0xcc);
	expect_status("21ffff27", AGENT_EXPR_BAD_CODE);
	expect_status("21000427", AGENT_EXPR_BAD_CODE);
	expect_status("210000", AGENT_EXPR_TOO_LONG);
}

Test(gdbstub_expr, bad_code)
{
	static const char *const bad[] = {"",         "00",
					  "01",       "0c",
					  "0d01",     "1b",
					  "1c",       "1d",
					  "1e",       "1f",
					  "2c0001",   "2d0001",
					  "2e0001",   "2f",
					  "300001",   "31",
					  "34",       "ff",
					  "22",       "23ff",
					  "24ffffff", "25ffffffffffffff",
					  "26",       "2600",
					  "2100",     "2205",
					  "220516",   "220532",
					  "22012000"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		expect_status(bad[i], AGENT_EXPR_BAD_CODE);
}

Test(gdbstub_expr, too_few_values)
{
	static const char *const bad[] = {"27", "02", "220102", "0e",     "1601", "17", "1a",        "200000",
					  "28", "29", "2b",     "22012b", "3200", "33", "2201220133"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		expect_status(bad[i], AGENT_EXPR_BAD_STACK);
	expect_status("220122000527", AGENT_EXPR_BAD_VALUE);
	expect_status("220122000827", AGENT_EXPR_BAD_VALUE);
}

Test(gdbstub_expr, the_stack_has_a_bound)
{
	char code[2 * (2 * (AGENT_EXPR_STACK_COUNT + 1) + 1) + 1] = "";

	for (int i = 0; i < AGENT_EXPR_STACK_COUNT; i++)
		strcat(code, "2201");
	strcat(code, "27");
	expect_value(code, 1);
	code[strlen(code) - 2] = '\0';
	strcat(code, "220127");
	expect_status(code, AGENT_EXPR_BAD_STACK);
	expect_status("2201"
		      "28"
		      "210002",
		      AGENT_EXPR_BAD_STACK);
}
