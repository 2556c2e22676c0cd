/* Packets on the wire: acknowledgements, checksums, escapes, runs, too long ones, and a client that only asks. */
#include "gdbstub/args.h"
#include "gdbstub/frame.h"
#include "tests/unit/gdbstub_client.h"

static struct toy toy;

static void open_toy(void)
{
	toy_open(&toy, &toy_ops, 1000);
}

static void close_toy(void)
{
	toy_close(&toy);
}

TestSuite(gdbstub_frame, .init = open_toy, .fini = close_toy);

static void expect(const char *input, const char *output)
{
	size_t count;

	client_raw(&toy, input, strlen(input));
	cr_expect_str_eq(client_take(&toy, &count), output, "%s", input);
}

Test(gdbstub_frame, acknowledgements)
{
	expect("$qC#b4", "+$QC1#c5");
	expect("-", "$QC1#c5");
	expect("-", "$QC1#c5");
	expect("+", "");
	expect("-", "");
	expect("$qC#b5", "-");
	expect("$qC#zz", "-");
	expect("$qAttached#8F", "+$1#31");
}

Test(gdbstub_frame, without_acknowledgements)
{
	expect("$QStartNoAckMode#b0", "+$OK#9a");
	expect("+", "");
	expect("-", "");
	expect("$qC#b4", "$QC1#c5");
	expect("$qC#00", "$QC1#c5");
	expect("-", "");
}

Test(gdbstub_frame, in_pieces_and_among_rubbish)
{
	expect("rub", "");
	expect("bish$q", "");
	expect("C", "");
	expect("#", "");
	expect("b", "");
	expect("4", "+$QC1#c5");
	expect("#$$q$qC#b4##", "+$QC1#c5");
	expect("$qC#b4$qC#b4", "+$QC1#c5+$QC1#c5");
	expect("\x03", "");
	expect("$#00", "+$#00");
}

Test(gdbstub_frame, an_interrupt_inside_of_a_packet_is_data)
{
	static const char packet[] = "X40080900,1:\x03";

	client_put(&toy, packet, sizeof packet - 1);
	cr_expect_str_eq(client_reply(&toy), "OK");
	cr_expect_eq(toy.ram[0x900], 3);
}

Test(gdbstub_frame, a_packet_that_is_too_long_is_refused)
{
	static char packet[FRAME_BYTES_MAX + 2];

	memset(packet, '0', sizeof packet);
	memcpy(packet, "M40080000,1ffef:", 16);
	client_put(&toy, packet, sizeof packet - 1);
	cr_expect_str_eq(client_reply(&toy), "E22");
	client_put(&toy, packet, sizeof packet - 2);
	cr_expect_str_eq(client_reply(&toy), "E22");
	cr_expect_str_eq(client_ask(&toy, "qC"), "QC1");
}

/* All lengths of a run, and that none makes a character that a frame uses. */
Test(gdbstub_frame, runs)
{
	char payload[300], unpacked[300];

	for (size_t count = 1; count < sizeof payload; count++) {
		struct text text = {0};
		size_t unpacked_count;

		memset(payload, '0', count);
		frame_encode(&text, payload, count);
		text_byte(&text, '\0');
		cr_assert_eq(strcspn(text.data + 1, "$"), text.count - 2);
		cr_expect_eq(client_unpack(text.data, text.count - 1, unpacked, &unpacked_count), text.count - 1);
		cr_expect(unpacked_count == count && memcmp(payload, unpacked, count) == 0, "%zu", count);
		cr_expect_null(strpbrk(text.data + 1, "+-"));
		text_free(&text);
	}
}

Test(gdbstub_frame, short_runs_stay_as_they_are)
{
	struct text text = {0};

	frame_encode(&text, "000", 3);
	frame_encode(&text, "0000", 4);
	cr_expect_eq(text.count, 14);
	cr_expect_eq(memcmp(text.data, "$000#90$0* #7a", 14), 0);
	text_free(&text);
}

Test(gdbstub_frame, a_client_that_only_asks_is_held_up)
{
	static char input[200000];
	size_t count = 0, taken, waiting;

	for (size_t i = 0; i < TOY_RAM_BYTES; i++)
		toy.ram[i] = (uint8_t)(i * 7 + 1);
	while (count + 32 < sizeof input) {
		memcpy(input + count, "$m40080000,2000#e7", 18);
		count += 18;
	}
	taken = gdbstub_feed(toy.stub, input, count);
	cr_expect_lt(taken, count);
	cr_expect_eq(gdbstub_feed(toy.stub, input + taken, count - taken), 0);
	gdbstub_output(toy.stub, &waiting);
	cr_expect_leq(waiting, (16 << 20) + 2 * FRAME_BYTES_MAX);
	gdbstub_sent(toy.stub, waiting);
	cr_expect_gt(gdbstub_feed(toy.stub, input + taken, count - taken), 0);
}

Test(gdbstub_frame, requests_to_send_again_are_held_up_too)
{
	static char input[200000];
	size_t waiting;

	for (size_t i = 0; i < TOY_RAM_BYTES; i++)
		toy.ram[i] = (uint8_t)(i * 7 + 1);
	client_put(&toy, "m40080000,2000", 14);
	memset(input, '-', sizeof input);
	gdbstub_feed(toy.stub, input, sizeof input);
	gdbstub_output(toy.stub, &waiting);
	cr_expect_leq(waiting, (16 << 20) + 2 * FRAME_BYTES_MAX);
}

/* On the heap to the byte, so that ASan sees a read behind it. */
Test(gdbstub_frame, an_escape_at_the_end_is_not_read_past)
{
	char *bytes = malloc(3), out[8];
	struct args args = {bytes, 3, false};

	memcpy(bytes, "ab}", 3);
	cr_expect_eq(args_binary(&args, out, sizeof out), 0);
	cr_expect_not(args_done(&args));
	free(bytes);
}
