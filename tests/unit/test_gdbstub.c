/* Each row of the stub's packet table with good and bad arguments: all but those that make the target run. */
#include "tests/unit/gdbstub_client.h"

static struct toy toy;

static void open_toy(void)
{
	toy_open(&toy, &toy_ops, 1000);
	cr_assert_str_eq(client_ask(&toy, "QStartNoAckMode"), "OK");
}

static void close_toy(void)
{
	toy_close(&toy);
}

TestSuite(gdbstub, .init = open_toy, .fini = close_toy);

/* Packets that are malformed in some way, and change nothing. */
static void expect_malformed(const char *const *packets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cr_expect_str_eq(client_ask(&toy, packets[i]), "E22", "%s", packets[i]);
}
#define EXPECT_MALFORMED(...)                                                                                          \
	expect_malformed((const char *const[]){__VA_ARGS__},                                                           \
			 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

Test(gdbstub, unknown_packets_get_the_empty_reply)
{
	static const char *const unknown[] = {"",
					      "vMustReplyEmpty",
					      "qSymbol::",
					      "vFile:open:00,0,0",
					      "qTStatus",
					      "qCx",
					      "gg",
					      "QNonStop:1",
					      "vCont?x",
					      "?x",
					      "bcd",
					      "_",
					      "\x7f",
					      "QThreadSuffixSupported",
					      "qXfer:auxv:read::0,100"};

	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
		cr_expect_str_eq(client_ask(&toy, unknown[i]), "", "%s", unknown[i]);
}

Test(gdbstub, supported_names_the_features)
{
	static const char *const features[] = {"PacketSize=40000",
					       "QStartNoAckMode+",
					       "vContSupported+",
					       "ReverseStep+",
					       "ReverseContinue+",
					       "swbreak+",
					       "hwbreak+",
					       "ConditionalBreakpoints+",
					       "BreakpointCommands-",
					       "multiprocess-",
					       "qXfer:features:read+",
					       "qXfer:threads:read+",
					       "qXfer:memory-map:read+"};
	const char *reply = client_ask(&toy, "qSupported:multiprocess+;swbreak+;hwbreak+;;x=1");

	for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
		cr_expect(strstr(reply, features[i]), "%s", features[i]);
	cr_expect(strstr(client_ask(&toy, "qSupported"), "PacketSize="));
}

Test(gdbstub, reads_memory_in_both_forms)
{
	static const uint8_t bytes[] = {0x23, 0x24, 0x7d, 0x2a, 0x00, 0xff, 0x03};
	char expected[] = {'b', '}', 0x03, '}', 0x04, '}', 0x5d, '}', 0x0a, 0x00, (char)0xff, 0x03};

	memcpy(toy.ram + 0x900, bytes, sizeof bytes);
	cr_expect_str_eq(client_ask(&toy, "m40080900,7"), "23247d2a00ff03");
	client_put(&toy, "x40080900,7", 11);
	cr_expect_eq(memcmp(client_reply(&toy), expected, sizeof expected), 0);
	cr_expect_str_eq(client_ask(&toy, "x40080900,0"), "b");
	EXPECT_MALFORMED("m", "m40080900", "m40080900,", "m,4", "m40080900,4,", "mx,4", "m40080900;4", "x", "x1,",
			 "m00000000040080900,4", "m40080900,10000000000000000", "m-1,4");
}

Test(gdbstub, unmapped_memory_is_an_error_reply)
{
	cr_expect_str_eq(client_ask(&toy, "m0,4"), "E14");
	cr_expect_str_eq(client_ask(&toy, "m4007ffff,1"), "E14");
	cr_expect_str_eq(client_ask(&toy, "mffffffffffffffff,1"), "E14");
	cr_expect_str_eq(client_ask(&toy, "x0,1"), "E14");
	cr_expect_str_eq(client_ask(&toy, "M0,1:00"), "E14");
	cr_expect_str_eq(client_ask(&toy, "X40082000,1:a"), "E14");
}

Test(gdbstub, reads_up_to_the_first_page_that_is_missing)
{
	cr_expect_eq(strlen(client_ask(&toy, "m40080ff0,20")), 0x40);
	cr_expect_eq(strlen(client_ask(&toy, "m40081ff0,20")), 0x20);
	cr_expect_eq(strlen(client_ask(&toy, "m40080000,ffffffffffffffff")), 2 * TOY_RAM_BYTES);
	cr_expect_str_eq(client_ask(&toy, "m4007fff0,20"), "E14");
}

Test(gdbstub, writes_memory_in_both_forms)
{
	static const char binary[] = "X40080a00,4:ab}\x03}]";

	cr_expect_str_eq(client_ask(&toy, "M40080fff,3:0aBc9f"), "OK");
	cr_expect_eq(memcmp(toy.ram + 0xfff, "\x0a\xbc\x9f", 3), 0);
	client_put(&toy, binary, sizeof binary - 1);
	cr_expect_str_eq(client_reply(&toy), "OK");
	cr_expect_eq(memcmp(toy.ram + 0xa00, "ab#}", 4), 0);
	cr_expect_str_eq(client_ask(&toy, "X40080a00,0:"), "OK");
	EXPECT_MALFORMED("M40080a00,1:", "M40080a00,1:0", "M40080a00,1:000", "M40080a00,2:00", "M40080a00,1:0g",
			 "M40080a00,1", "M40080a00,ffffffffffffffff:00", "X40080a00,1:", "X40080a00,1:ab",
			 "X40080a00,2:a}", "X40080a00,1:}", "X40080a00,7fffffffffffffff:a", "X40080a00,3:}a}b");
	cr_expect_eq(memcmp(toy.ram + 0xa00, "ab#}", 4), 0);
}

Test(gdbstub, checksums_of_memory)
{
	memcpy(toy.ram + 0x100, "123456789", 9);
	cr_expect_str_eq(client_ask(&toy, "qCRC:40080100,9"), "C376e6e7"); /* CRC-32/MPEG-2's check value */
	cr_expect_str_eq(client_ask(&toy, "qCRC:40080100,0"), "Cffffffff");
	cr_expect_str_eq(client_ask(&toy, "qCRC:40081ff0,20"), "E14");
	EXPECT_MALFORMED("qCRC:", "qCRC:40080100", "qCRC:40080100,", "qCRC:40080100,9,", "qCRC:0,ffffffffffffffff");
}

static const char *search(const char *range, const char *pattern, size_t count)
{
	char packet[512];
	const int head = snprintf(packet, sizeof packet, "qSearch:memory:%s;", range);

	memcpy(packet + head, pattern, count);
	client_put(&toy, packet, (size_t)head + count);
	return client_reply(&toy);
}

Test(gdbstub, searches_memory)
{
	memcpy(toy.ram + 0xffd, "abc#de", 6);
	memcpy(toy.ram + 0x1f00, "}", 1);
	cr_expect_str_eq(search("40080000;2000",
				"abc}\x03"
				"de",
				7),
			 "1,40080ffd", "an escaped #, across pages");
	cr_expect_str_eq(search("40080ffd;6", "e", 1), "1,40081002");
	cr_expect_str_eq(search("40080ffd;5", "e", 1), "0");
	cr_expect_str_eq(search("40080ffe;1000", "abc", 3), "0");
	cr_expect_str_eq(search("40081e00;200", "}]", 2), "1,40081f00");
	cr_expect_str_eq(search("40081ff0;20", "abc", 3), "E14");
	cr_expect_str_eq(search("40080000;0", "abc", 3), "0");
	EXPECT_MALFORMED("qSearch:memory:", "qSearch:memory:40080000;10", "qSearch:memory:40080000;10;",
			 "qSearch:memory:0;ffffffffffffffff;a", "qSearch:memory:40080000,10;a");
}

Test(gdbstub, lldb_learns_how_watchpoints_stop)
{
	cr_expect(strstr(client_ask(&toy, "qHostInfo"), ";watchpoint_exceptions_received:before;"));
	cr_expect(strstr(client_ask(&toy, "qHostInfo"), "triple:616172636836342d"));
	cr_expect_str_eq(client_ask(&toy, "qWatchpointSupportInfo:"), "num:65536;");
}

Test(gdbstub, progress_is_a_line_of_its_own)
{
	size_t count;

	client_ask(&toy, "qRcmd,6c61746572"); /* later */
	gdbstub_progress(toy.stub, ".", 1);
	gdbstub_progress(toy.stub, ".", 1);
	gdbstub_print(toy.stub, "a", 1);
	gdbstub_progress(toy.stub, ".", 1);
	gdbstub_monitor_done(toy.stub, false);
	cr_expect_str_eq(client_take(&toy, &count), "$O2e#e6$O2e#e6$O0a#e0$O#4f$61#67", "what is held stays the reply");
}

Test(gdbstub, physical_addresses_on_request)
{
	cr_expect_str_eq(client_ask(&toy, "qqemu.PhyMemMode"), "0");
	cr_expect_str_eq(client_ask(&toy, "Qqemu.PhyMemMode:1"), "OK");
	cr_expect_str_eq(client_ask(&toy, "qqemu.PhyMemMode"), "1");
	cr_expect(gdbstub_physical(toy.stub));
	cr_expect_str_eq(client_ask(&toy, "m0,4"), "000080d2");
	cr_expect_str_eq(client_ask(&toy, "m40080000,4"), "E14");
	EXPECT_MALFORMED("Qqemu.PhyMemMode:", "Qqemu.PhyMemMode:2", "Qqemu.PhyMemMode:1x");
	gdbstub_set_physical(toy.stub, false);
	cr_expect_str_eq(client_ask(&toy, "m0,4"), "E14");
}

Test(gdbstub, reads_and_writes_single_registers)
{
	char packet[64];

	cr_expect_str_eq(client_ask(&toy, "p1"), "0101000000000000");
	cr_expect_str_eq(client_ask(&toy, "p21"), "c5030000");
	cr_expect_str_eq(client_ask(&toy, "p22"), "2222000000000000efcdab8967452301");
	cr_expect_str_eq(client_ask(&toy, "P22=000102030405060708090a0b0c0d0e0f"), "OK");
	cr_expect_eq(toy.regs[0][GDB_REG_v0].low, UINT64_C(0x0706050403020100));
	cr_expect_eq(toy.regs[0][GDB_REG_v0].high, UINT64_C(0x0f0e0d0c0b0a0908));
	snprintf(packet, sizeof packet, "P%x=8877665544332211", GDB_REG_vbar_el1);
	cr_expect_str_eq(client_ask(&toy, packet), "OK");
	cr_expect_eq(toy.regs[0][GDB_REG_vbar_el1].low, UINT64_C(0x1122334455667788));
	snprintf(packet, sizeof packet, "p%x", GDB_REG_pmselr_el0);
	cr_expect_str_eq(client_ask(&toy, packet), "xxxxxxxxxxxxxxxx");
	snprintf(packet, sizeof packet, "P%x=0000000000000000", GDB_REG_pmselr_el0);
	cr_expect_str_eq(client_ask(&toy, packet), "E01");
	snprintf(packet, sizeof packet, "p%x", GDB_REGISTER_COUNT);
	EXPECT_MALFORMED(packet, "p", "p1x", "pffffffff00000000", "P1", "P1=", "P1=00", "P1=00000000000000000",
			 "P1=000000000000000g", "Pffff=0000000000000000", "P21=0000000000000000");
}

Test(gdbstub, reads_and_writes_all_registers)
{
	char packet[4096] = "G";
	const char *reply = client_ask(&toy, "g");

	cr_assert_eq(strlen(reply), 2 * (33 * 8 + 4 + 32 * 16 + 8));
	cr_assert_lt(strlen(reply), sizeof packet - 1);
	strcat(packet, reply);
	memset(packet + 1, '7', 16);
	cr_expect_str_eq(client_ask(&toy, packet), "OK");
	cr_expect_eq(toy.regs[0][GDB_REG_x0].low, UINT64_C(0x7777777777777777));
	cr_expect_eq(toy.regs[0][GDB_REG_x1].low, 0x101);
	packet[1] = 'x';
	EXPECT_MALFORMED(packet, "G", "G00");
	cr_expect_eq(toy.regs[0][GDB_REG_x0].low, UINT64_C(0x7777777777777777));
}

Test(gdbstub, threads)
{
	toy.regs[1][GDB_REG_x1].low = 0xaa;
	cr_expect_str_eq(client_ask(&toy, "qC"), "QC1");
	cr_expect_str_eq(client_ask(&toy, "qfThreadInfo"), "m1,2");
	cr_expect_str_eq(client_ask(&toy, "qsThreadInfo"), "l");
	cr_expect_str_eq(client_ask(&toy, "T2"), "OK");
	cr_expect_str_eq(client_ask(&toy, "qThreadExtraInfo,2"), "454c31203c6f66663e"); /* EL1 <off> */
	cr_expect_str_eq(client_ask(&toy, "Hg2"), "OK");
	cr_expect_str_eq(client_ask(&toy, "p1"), "aa00000000000000");
	cr_expect_str_eq(client_ask(&toy, "qC"), "QC2");
	cr_expect_str_eq(client_ask(&toy, "Hg0"), "OK");
	cr_expect_str_eq(client_ask(&toy, "qC"), "QC1");
	cr_expect_str_eq(client_ask(&toy, "Hc-1"), "OK");
	cr_expect_str_eq(client_ask(&toy, "Hc2"), "OK");
	EXPECT_MALFORMED("H", "Hg", "Hg3", "Hx1", "Hg-2", "Hgp1.1", "Hc1x", "T", "T3", "Tffffffffffffffff", "T-",
			 "qThreadExtraInfo,", "qThreadExtraInfo,9");
}

Test(gdbstub, documents_in_pieces)
{
	char whole[0x10000], packet[64];
	const char *reply = client_ask(&toy, "qXfer:features:read:target.xml:0,3fff0");
	size_t done = 0;

	cr_assert_eq(reply[0], 'l');
	cr_assert_lt(strlen(reply), sizeof whole);
	strcpy(whole, reply + 1);
	for (;;) {
		snprintf(packet, sizeof packet, "qXfer:features:read:target.xml:%zx,64", done);
		reply = client_ask(&toy, packet);
		cr_assert_eq(memcmp(reply + 1, whole + done, strlen(reply + 1)), 0);
		done += strlen(reply + 1);
		if (reply[0] == 'l')
			break;
		cr_assert(reply[0] == 'm' && strlen(reply + 1) == 0x64);
	}
	cr_expect_eq(done, strlen(whole));
	cr_expect(strstr(whole, "org.gnu.gdb.aarch64.core") && strstr(whole, "org.gnu.gdb.aarch64.fpu"));
	cr_expect(strstr(whole, "<reg name=\"VBAR_EL1\" bitsize=\"64\""));
	snprintf(packet, sizeof packet, "qXfer:features:read:target.xml:%zx,64", done);
	cr_expect_str_eq(client_ask(&toy, packet), "l");
	snprintf(packet, sizeof packet, "qXfer:features:read:target.xml:%zx,64", done + 1);
	cr_expect_str_eq(client_ask(&toy, packet), "E00");
}

Test(gdbstub, thread_list_and_memory_map)
{
	const char *reply = client_ask(&toy, "qXfer:threads:read::0,1000");

	cr_expect(strstr(reply, "<thread id=\"2\" core=\"1\" name=\"vcpu1\">EL1 &lt;off></thread>"), "%s", reply);
	reply = client_ask(&toy, "qXfer:memory-map:read::0,1000");
	cr_expect(strstr(reply, "<memory type=\"ram\" start=\"0x40080000\" length=\"0x2000\"/>"), "%s", reply);
}

Test(gdbstub, documents_refuse_bad_requests)
{
	static const char *const bad[] = {"qXfer:features:read:other.xml:0,10", "qXfer:features:read:target.xml:0",
					  "qXfer:features:read:target.xml:0,",  "qXfer:features:read:target.xml:,1",
					  "qXfer:features:read:target.xml",     "qXfer:threads:read:x:0,10",
					  "qXfer:threads:read::0,10,"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_expect_str_eq(client_ask(&toy, bad[i]), "E00", "%s", bad[i]);
	cr_expect_str_eq(client_ask(&toy, "qXfer:"), "");
	cr_expect_str_eq(client_ask(&toy, "qXfer:features:write:target.xml:0:00"), "");
}

Test(gdbstub, small_queries)
{
	cr_expect_str_eq(client_ask(&toy, "qAttached"), "1");
	cr_expect_str_eq(client_ask(&toy, "qAttached:a410"), "1");
	cr_expect_str_eq(client_ask(&toy, "qOffsets"), "TextSeg=1000");
	cr_expect_str_eq(client_ask(&toy, "vCont?"), "vCont;c;C;s;S;t;r");
	cr_expect_str_eq(client_ask(&toy, "!"), "OK");
}

Test(gdbstub, optional_operations_may_be_missing)
{
	struct target_ops ops = toy_ops;
	struct toy bare;

	ops.thread_text = NULL;
	ops.monitor = NULL;
	ops.program_va = NULL;
	ops.memory_map = NULL;
	toy_open(&bare, &ops, 10);
	cr_expect(strstr(client_ask(&bare, "qSupported"), "qXfer:memory-map:read-"));
	cr_expect_str_eq(client_ask(&bare, "qXfer:memory-map:read::0,10"), "");
	cr_expect_str_eq(client_ask(&bare, "qOffsets"), "");
	cr_expect_str_eq(client_ask(&bare, "qRcmd,61"), "");
	cr_expect_str_eq(client_ask(&bare, "qThreadExtraInfo,1"), "");
	cr_expect(strstr(client_ask(&bare, "qXfer:threads:read::0,1000"), "name=\"vcpu0\"></thread>"));
	toy_close(&bare);
}

Test(gdbstub, breakpoints_are_inserted_once)
{
	cr_expect_str_eq(client_ask(&toy, "Z0,40080010,4"), "OK");
	cr_expect_str_eq(client_ask(&toy, "Z0,40080010,4"), "OK");
	cr_expect_str_eq(client_ask(&toy, "Z1,40080010,4"), "OK");
	cr_expect_str_eq(client_ask(&toy, "Z4,40080800,8"), "OK");
	cr_assert_eq(toy.break_count, 3);
	cr_expect_eq(toy.breaks[2].kind, TARGET_WATCH_ACCESS);
	cr_expect_eq(toy.breaks[2].bytes, 8);
	cr_expect_str_eq(client_ask(&toy, "z0,40080010,4"), "OK");
	cr_expect_str_eq(client_ask(&toy, "z0,40080010,4"), "OK");
	cr_expect_str_eq(client_ask(&toy, "z4,40080800,4"), "OK");
	cr_expect_eq(toy.break_count, 2);
	EXPECT_MALFORMED("Z", "Z5,0,4", "Z0,0", "Z0,,4", "Z0,0,4,", "Z2,0,0", "Z2,ffffffffffffffff,2", "Z0,0,4;X",
			 "z2,0,0", "Z0,0,4;X1", "Z0,0,4;X0,", "Z0,0,4;X2,27", "Z0,0,4;X1,2", "Z0,0,4;X1,2g",
			 "Z0,0,4;X1,27Y", "Z0,0,4;Xffffffffffffffff,27", "Z0,0,4;cmds:0", "z0,0,4;X1,27");
	cr_expect_eq(toy.break_count, 2);
	cr_expect_str_eq(client_ask(&toy, "Z2,ffffffffffffffff,1"), "OK");
}

Test(gdbstub, a_breakpoint_that_the_target_refuses_is_an_error)
{
	char packet[32];

	for (unsigned i = 0; i < TOY_BREAK_COUNT; i++) {
		snprintf(packet, sizeof packet, "Z0,%x,4;X1,27", 4 * i);
		cr_expect_str_eq(client_ask(&toy, packet), "OK");
	}
	cr_expect_str_eq(client_ask(&toy, "Z0,1000,4;X1,27"), "E01");
	cr_expect_str_eq(client_ask(&toy, "z0,0,4"), "OK");
	cr_expect_str_eq(client_ask(&toy, "Z0,1000,4"), "OK");
}

Test(gdbstub, monitor_commands)
{
	size_t count;

	client_put(&toy, "qRcmd,776865", 12); /* whe */
	const char *output = client_take(&toy, &count);
	cr_expect_str_eq(output, "$O77686520617420300a#20$OK#9a");
	client_put(&toy, "qRcmd,6661696c", 14); /* fail */
	output = client_take(&toy, &count);
	cr_expect(strstr(output, "$6661696c20617420300a#") && !strchr(output, 'O') && !strchr(output, 'E'),
		  "the reply to a refused command is what it printed, no error: %s", output);
	cr_expect_str_eq(client_ask(&toy, "qhvrec.Refused"), "1");
	client_put(&toy, "qRcmd,", 6);
	cr_expect(strstr(client_take(&toy, &count), "$OK#9a"));
	cr_expect_str_eq(client_ask(&toy, "qhvrec.Refused"), "0");
	EXPECT_MALFORMED("qRcmd,7", "qRcmd,7g", "qRcmd,6100", "qRcmd,zz");
}

Test(gdbstub, a_monitor_command_may_take_its_time)
{
	size_t count;

	cr_expect_str_eq(client_ask(&toy, "qRcmd,6c61746572"), "(nothing)"); /* later */
	cr_expect(gdbstub_is_busy(toy.stub));
	cr_expect_str_eq(client_ask(&toy, "g"), "(nothing)");
	client_raw(&toy, "\x03", 1);
	cr_expect(toy.is_interrupted);
	toy_run(&toy, 0);
	cr_expect_str_eq(client_take(&toy, &count), "$O646f6e650a#ec$OK#9a");
	cr_expect_not(gdbstub_is_busy(toy.stub));
}

Test(gdbstub, print_is_dropped_when_nobody_waits)
{
	size_t count;

	gdbstub_print(toy.stub, "x", 1);
	gdbstub_monitor_done(toy.stub, true);
	client_take(&toy, &count);
	cr_expect_eq(count, 0);
}

Test(gdbstub, long_text_is_split)
{
	static char text[100000], payload[CLIENT_BYTES];
	size_t count, payload_count, done = 0;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)('a' + i % 26);
	client_ask(&toy, "qRcmd,6c61746572");
	gdbstub_print(toy.stub, text, sizeof text);
	const char *output = client_take(&toy, &count);
	for (size_t at = 0; at < count; done += payload_count / 2) {
		at += client_unpack(output + at, count - at, payload, &payload_count);
		cr_assert_eq(payload[0], 'O');
	}
	cr_expect_eq(done, sizeof text);
}
