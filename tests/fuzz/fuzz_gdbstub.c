/* Packets against the gdb stub and the toy target: `fuzz_gdbstub COUNT SEED` feeds COUNT packets, of which most are
 * valid ones or mutations of valid ones, in chunks of random size, with stops, interrupts and disconnections between
 * them. The same COUNT and SEED do the same. Meant for ASan and UBSan; leaks are found at its end. What it checks
 * itself: the stub is never left busy when the target stands still, its output is bounded, and every reply is a
 * well-formed packet. */
#include "gdbstub/frame.h"
#include "tests/unit/gdbstub_toy.h"
#include <inttypes.h>
#include <time.h>

enum { BATCH_BYTES = 4096, BATCH_PACKETS = 16, PACKET_BYTES = 1024 };

static uint64_t random_state;
static struct toy toy;

static uint64_t random_u64(void) /* splitmix64 */
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint32_t below(uint32_t bound)
{
	return (uint32_t)(random_u64() >> 33) % bound;
}

/* In templates: @ an address, # a length, % a thread, ^ a register, ~ hexadecimal bytes, & condition bytecode, ! any
 * bytes. */
static const char *const templates[] = {
	"?",
	"!",
	"bc",
	"bs",
	"c",
	"c@",
	"C05",
	"C05;@",
	"s",
	"s@",
	"S05;@",
	"D",
	"D;1",
	"g",
	"G~",
	"Hg%",
	"Hc%",
	"k",
	"m@,#",
	"m@,#",
	"m@,#",
	"M@,#:~",
	"M@,2:abcd",
	"p^",
	"p^",
	"P^=~",
	"P1=0011223344556677",
	"qAttached",
	"qC",
	"qfThreadInfo",
	"qOffsets",
	"qqemu.PhyMemMode",
	"Qqemu.PhyMemMode:1",
	"Qqemu.PhyMemMode:0",
	"qCRC:@,#",
	"qHostInfo",
	"qhvrec.Notice",
	"qhvrec.Refused",
	"qqemu.sstep",
	"qqemu.sstepbits",
	"Qqemu.sstep=%",
	"qSearch:memory:@;#;ab",
	"qWatchpointSupportInfo:",
	"vRun;~;61",
	"qRcmd,~",
	"qRcmd,6c61746572",
	"qRcmd,6661696c",
	"qRcmd,7365656b20313030",
	"qsThreadInfo",
	"QStartNoAckMode",
	"qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+",
	"qThreadExtraInfo,%",
	"qXfer:features:read:target.xml:#,#",
	"qXfer:threads:read::0,#",
	"qXfer:memory-map:read::#,#",
	"R00",
	"T%",
	"vCont?",
	"vCont;c",
	"vCont;s:%;c",
	"vCont;r@,@:%",
	"vCont;C05:%;t",
	"vKill;1",
	"vMustReplyEmpty",
	"x@,#",
	"X@,#:!",
	"X@,0:",
	"X@,2:ab",
	"z0,@,4",
	"z1,@,4",
	"z2,@,#",
	"Z0,@,4",
	"Z0,@,4;X&",
	"Z0,@,4;X&X&",
	"Z1,@,4",
	"Z1,@,4;X&",
	"Z2,@,#",
	"Z3,@,8;X&",
	"Z4,@,#",
	"qTStatus",
	"vFile:open:~",
	"!",
};

struct packet {
	char bytes[PACKET_BYTES];
	size_t count;
};

static void add(struct packet *packet, const char *bytes, size_t count)
{
	if (count > PACKET_BYTES / 2 - packet->count)
		return;
	memcpy(packet->bytes + packet->count, bytes, count);
	packet->count += count;
}

static void add_hex(struct packet *packet, uint64_t value)
{
	char text[24];

	add(packet, text, (size_t)snprintf(text, sizeof text, "%" PRIx64, value));
}

static void add_digits(struct packet *packet, uint32_t byte_count)
{
	static const char digits[] = "0123456789abcdef";

	for (uint32_t i = 0; i < 2 * byte_count; i++)
		add(packet, &digits[below(16)], 1);
}

static uint64_t random_address(void)
{
	static const uint64_t bases[] = {
		TOY_VA, TOY_VA,      TOY_VA,         TOY_VA + TOY_DATA, TOY_VA + TOY_RAM_BYTES - 16,
		0,      TOY_VA - 16, UINT64_MAX - 16};

	return bases[below(8)] + 4 * below(8) + (below(8) == 0 ? below(0x2000) : 0);
}

static uint64_t random_length(void)
{
	const uint32_t choice = below(64);

	if (choice == 0)
		return random_u64();
	return choice < 4 ? below(0x3000) : choice < 16 ? below(256) : below(17);
}

struct code {
	uint8_t bytes[96];
	uint32_t count, depth;
};

/* One instruction that has the values it takes and its operand; memory near the program, small jumps forward. */
static void add_instruction(struct code *code)
{
	static const uint8_t binary[] = {0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
					 0x0a, 0x0b, 0x0f, 0x10, 0x11, 0x13, 0x14, 0x15};
	static const uint8_t unary[] = {0x0e, 0x12, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x20, 0x21, 0x28, 0x29, 0x2a};
	uint8_t *to = code->bytes + code->count;
	const uint32_t choice = below(16);

	if (choice < 2 && code->depth >= 2) {
		to[0] = choice == 0 ? 0x2b : 0x32;
		to[1] = (uint8_t)below(code->depth);
		code->count += 1 + choice;
		code->depth += choice;
	} else if (choice == 2 && code->depth >= 3) {
		to[0] = 0x33;
		code->count++;
	} else if (choice < 7 && code->depth >= 2) {
		to[0] = binary[below(sizeof binary)];
		code->count++;
		code->depth--;
	} else if (choice < 10 && code->depth >= 1) {
		to[0] = unary[below(sizeof unary)];
		to[1] = to[0] == 0x20 || to[0] == 0x21 ? 0 : (uint8_t)(1 + below(66));
		to[2] = (uint8_t)(code->count + 3);
		code->count += to[0] == 0x20 || to[0] == 0x21 ? 3 : to[0] == 0x16 || to[0] == 0x2a ? 2 : 1;
		code->depth += to[0] == 0x28 ? 1u : to[0] == 0x20 || to[0] == 0x29 ? UINT32_MAX : 0;
	} else if (choice < 12) {
		memcpy(to, "\x26\x00", 2);
		to[2] = (uint8_t)below(GDB_REGISTER_COUNT + 1);
		code->count += 3;
		code->depth++;
	} else if (choice < 14) {
		memcpy(to, "\x24\x40\x08\x08\x00", 5);
		code->count += 5;
		code->depth++;
	} else {
		to[0] = choice == 14 ? 0x22 : 0x23;
		to[1] = (uint8_t)below(9);
		to[2] = (uint8_t)below(256);
		code->count += choice == 14 ? 2 : 3;
		code->depth++;
	}
}

/* Mostly sound code; one in eight has a byte changed. */
static void add_condition(struct packet *packet)
{
	struct code code = {.count = 0};

	for (uint32_t i = 1 + below(14); i > 0; i--)
		add_instruction(&code);
	code.bytes[code.count++] = 0x27;
	if (below(8) == 0)
		code.bytes[below(code.count)] = (uint8_t)below(256);
	add_hex(packet, code.count);
	add(packet, ",", 1);
	for (uint32_t i = 0; i < code.count; i++) {
		char text[3];

		add(packet, text, (size_t)snprintf(text, sizeof text, "%02x", code.bytes[i]));
	}
}

static void add_field(struct packet *packet, char kind)
{
	switch (kind) {
	case '@':
		add_hex(packet, random_address());
		break;
	case '#':
		add_hex(packet, random_length());
		break;
	case '%':
		add(packet, below(4) ? "1" : below(2) ? "-1" : "3", below(4) ? 1 : 2);
		break;
	case '^':
		add_hex(packet, below(GDB_REGISTER_COUNT + 4));
		break;
	case '~':
		add_digits(packet, below(24));
		break;
	case '&':
		add_condition(packet);
		break;
	default:
		for (uint32_t i = below(16); i > 0; i--)
			add(packet, &(char){(char)below(256)}, 1);
		break;
	}
}

static void fill(struct packet *packet, const char *template)
{
	packet->count = 0;
	for (; *template; template ++) {
		if (strchr("@#%^~&", *template) || (*template == '!' && template[1] == '\0' && packet->count > 0))
			add_field(packet, *template);
		else
			add(packet, template, 1);
	}
}

static void mutate(struct packet *packet)
{
	for (uint32_t i = 1 + below(3); i > 0 && packet->count > 0; i--) {
		const uint32_t at = below((uint32_t)packet->count);

		switch (below(5)) {
		case 0:
			packet->bytes[at] = (char)below(256);
			break;
		case 1:
			packet->count = at;
			break;
		case 2:
			memmove(packet->bytes + at, packet->bytes + at + 1, packet->count - at - 1);
			packet->count--;
			break;
		case 3:
			packet->bytes[at] = ";:,#$}*-"[below(8)];
			break;
		default:
			add(packet, packet->bytes + at, packet->count - at);
			break;
		}
	}
}

/* Adds a frame; the checksum is wrong at times, and bytes of the wire come between. */
static size_t frame(const struct packet *packet, char *to)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t sum = 0;
	size_t count = 0;

	if (below(16) == 0)
		to[count++] = "+-\x03$#"[below(5)];
	to[count++] = '$';
	for (size_t i = 0; i < packet->count; i++)
		sum = (uint8_t)(sum + (uint8_t)(to[count++] = packet->bytes[i]));
	if (below(64) == 0)
		sum ^= (uint8_t)below(256);
	to[count++] = '#';
	to[count++] = digits[sum >> 4];
	to[count++] = digits[sum & 15];
	return count;
}

static void fail(const char *why)
{
	fprintf(stderr, "fuzz_gdbstub: %s\n", why);
	abort();
}

/* Takes the output, and looks at the shape of each packet in it. */
static void take_output(void)
{
	size_t count;
	const char *output = gdbstub_output(toy.stub, &count), *end = output + count;

	while (output < end) {
		if (*output == '+' || *output == '-') {
			output++;
			continue;
		}
		const char *stop = memchr(output, '#', (size_t)(end - output));
		if (*output != '$' || !stop || end - stop < 3 || memchr(output + 1, '$', (size_t)(stop - output - 1)))
			fail("malformed output");
		output = stop + 3;
	}
	const size_t first = below((uint32_t)count + 1);
	gdbstub_sent(toy.stub, first);
	gdbstub_sent(toy.stub, count - first);
}

static void feed(const char *bytes, size_t count)
{
	while (count > 0) {
		const size_t chunk = below(4) == 0 ? 1 + below(16) : 1 + below((uint32_t)count);
		const size_t offered = chunk < count ? chunk : count;
		/* An exact copy, so that ASan sees a byte read too many. */
		char *copy = malloc(offered);

		if (!copy)
			fail("no memory");
		memcpy(copy, bytes, offered);
		const size_t taken = gdbstub_feed(toy.stub, copy, offered);
		free(copy);
		if (taken > offered)
			fail("took more than was offered");
		if (below(2) == 0)
			toy_run(&toy, 40);
		take_output();
		bytes += taken;
		count -= taken;
	}
}

/* Lets the target come to its stop (often not at once), and changes clients now and then. */
static void turn(void)
{
	toy_run(&toy, below(200));
	if (gdbstub_is_busy(toy.stub) && below(2) == 0) {
		toy_interrupt(&toy);
		toy_run(&toy, 4);
	}
	if (gdbstub_is_busy(toy.stub) != (toy.is_running || toy.is_monitoring))
		fail("the stub and the target disagree on what runs");
	take_output();
	if (!gdbstub_is_busy(toy.stub) && below(4) == 0)
		toy_reset(&toy);
	if (gdbstub_is_leaving(toy.stub) || below(64) == 0) {
		gdbstub_disconnect(toy.stub);
		if (toy.break_count != 0)
			fail("breakpoints outlive their client");
		toy_interrupt(&toy);
		toy_run(&toy, 4);
		gdbstub_connect(toy.stub);
	}
}

/* One that is longer than any may be, and then the end of the frame. */
static void feed_too_long(void)
{
	static char bytes[FRAME_BYTES_MAX + 2];

	memset(bytes, 'm', sizeof bytes);
	bytes[0] = '$';
	feed(bytes, sizeof bytes);
	feed("#00", 3);
}

static size_t make(char *to)
{
	struct packet packet;
	const uint32_t choice = below(16);

	if (choice == 0) {
		const size_t count = below(64);

		for (size_t i = 0; i < count; i++)
			to[i] = (char)below(256);
		return count;
	}
	const char *template = templates[below(sizeof templates / sizeof templates[0])];

	/* Clients that leave at once see little. */
	if (strchr("Dkv", template[0]) && template[1] != 'C' && below(16) != 0)
		template = "c";
	fill(&packet, template);
	if (choice < 5)
		mutate(&packet);
	return frame(&packet, to);
}

int main(int argc, char **argv)
{
	static char batch[BATCH_BYTES + PACKET_BYTES + 16];
	const uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000;
	const clock_t start = clock();

	random_state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	toy_open(&toy, &toy_ops, 200);
	for (uint64_t done = 0; done < count;) {
		size_t bytes = 0;

		for (uint32_t i = below(BATCH_PACKETS) + 1; i > 0 && done < count && bytes < BATCH_BYTES; i--, done++)
			bytes += make(batch + bytes);
		feed(batch, bytes);
		if (below(4096) == 0)
			feed_too_long();
		turn();
	}
	toy_close(&toy);
	const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	printf("fuzz_gdbstub: %" PRIu64 " packets in %.1f s of CPU, %.0f a second\n", count, seconds,
	       (double)count / (seconds > 0 ? seconds : 1));
	return 0;
}
