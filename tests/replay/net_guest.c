/* What tests/replay/test_net.py has its guest run: services on the network, and a client.
 *
 *	net_guest serve           TCP 7: gives back what it gets. TCP 9: takes bytes until the end, gives their check.
 *	                          TCP 19: takes a count, gives so many bytes of the pattern. UDP 7: gives back each
 *	                          datagram. Until somebody connects to TCP 1.
 *	net_guest connect PORT N  N times: connects to the host's PORT, sends a line, and expects it back
 *
 * Numbers on the wire are 8 bytes, little-endian. */
#include "tools/guest-init/linux.h"

const char linux_program[] = "net_guest";

enum { /* include/uapi/asm-generic/unistd.h */
       SYS_KILL = 129,
       SYS_CLOSE = 57,
       SYS_SOCKET = 198,
       SYS_BIND = 200,
       SYS_LISTEN = 201,
       SYS_ACCEPT = 202,
       SYS_CONNECT = 203,
       SYS_SENDTO = 206,
       SYS_RECVFROM = 207,
};
enum { AF_INET = 2, SOCK_STREAM = 1, SOCK_DGRAM = 2, SIGKILL = 9, BACKLOG = 64 };
enum { BLOCK_BYTES = 65536, WORDS = BLOCK_BYTES / 8 };
#define ODD UINT64_C(0x9e3779b97f4a7c15)

struct address {
	uint16_t family, port;
	uint8_t host[4];
	uint8_t zero[8];
};

static struct address at(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint32_t port)
{
	return (struct address){AF_INET, __builtin_bswap16((uint16_t)port), {a, b, c, d}, {0}};
}

static long bound(long type, uint32_t port)
{
	struct address any = at(0, 0, 0, 0, port);
	long fd = CALL(SYS_SOCKET, AF_INET, type, 0);
	CHECK(fd >= 0 && CALL(SYS_BIND, fd, &any, sizeof(any)) == 0, "no socket");
	return fd;
}

static void write_all(long fd, const void *bytes, uint64_t count)
{
	for (uint64_t done = 0; done < count;) {
		long got = CALL(SYS_WRITE, fd, (const uint8_t *)bytes + done, count - done);
		CHECK(got > 0, "cannot write to a connection");
		done += (uint64_t)got;
	}
}

/* As many as there are before the end, up to `count`. */
static uint64_t read_all(long fd, void *bytes, uint64_t count)
{
	uint64_t done = 0;
	while (done < count) {
		long got = CALL(SYS_READ, fd, (uint8_t *)bytes + done, count - done);
		CHECK(got >= 0, "cannot read from a connection");
		if (got == 0)
			break;
		done += (uint64_t)got;
	}
	return done;
}

static void echo(long fd, uint64_t *block)
{
	for (long got; (got = CALL(SYS_READ, fd, block, BLOCK_BYTES)) > 0;)
		write_all(fd, block, (uint64_t)got);
}

/* The check is over words; what is missing of the last one is zeroes. */
static void sink(long fd, uint64_t *block)
{
	uint64_t check = 0, got;
	do {
		for (uint64_t i = 0; i < WORDS; i++)
			block[i] = 0;
		got = read_all(fd, block, BLOCK_BYTES);
		for (uint64_t i = 0; 8 * i < got; i++)
			check = check * ODD + block[i];
	} while (got == BLOCK_BYTES);
	write_all(fd, &check, sizeof(check));
}

static void source(long fd, uint64_t *block)
{
	uint64_t count = 0;
	read_all(fd, &count, sizeof(count));
	for (uint64_t i = 0; i < WORDS; i++)
		block[i] = (i + 1) * ODD;
	for (uint64_t part; count > 0; count -= part) {
		part = count < BLOCK_BYTES ? count : BLOCK_BYTES;
		write_all(fd, block, part);
	}
}

static void datagrams(uint64_t *block)
{
	long fd = bound(SOCK_DGRAM, 7);
	for (;;) {
		struct address from;
		uint32_t bytes = sizeof(from);
		long got = CALL6(SYS_RECVFROM, fd, block, BLOCK_BYTES, 0, &from, &bytes);
		CHECK(got >= 0 && CALL6(SYS_SENDTO, fd, block, got, 0, &from, bytes) == got, "no datagram");
	}
}

static long listening(uint32_t port)
{
	long fd = bound(SOCK_STREAM, port);
	CHECK(CALL(SYS_LISTEN, fd, BACKLOG, 0) == 0, "cannot listen");
	return fd;
}

static long service(uint32_t port, void (*serve)(long fd, uint64_t *block))
{
	long listener = serve ? listening(port) : -1, pid = linux_fork();
	if (pid != 0)
		return pid;
	uint64_t *block = linux_map(BLOCK_BYTES, MAP_PRIVATE);
	if (!serve)
		datagrams(block);
	for (;;) {
		long fd = CALL(SYS_ACCEPT, listener, 0, 0);
		CHECK(fd >= 0, "no connection");
		serve(fd, block);
		CALL(SYS_CLOSE, fd, 0, 0);
	}
}

static void serve_all(void)
{
	long end = listening(1);
	long services[] = {service(7, echo), service(9, sink), service(19, source), service(7, 0)};
	CALL(SYS_WRITE, 1, "serving\n", 8);
	CHECK(CALL(SYS_ACCEPT, end, 0, 0) >= 0, "no end");
	for (uint32_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		CHECK(CALL(SYS_KILL, services[i], SIGKILL, 0) == 0, "a service is gone");
		CHECK(linux_wait(services[i]) == SIGKILL, "a service failed");
	}
}

static void connect_one(uint32_t port, uint64_t i)
{
	struct address host = at(10, 0, 2, 2, port);
	char line[] = "connection ........\n", back[sizeof(line)];
	long fd = CALL(SYS_SOCKET, AF_INET, SOCK_STREAM, 0);
	for (uint32_t digit = 0; digit < 8; digit++)
		line[11 + digit] = (char)('a' + (i >> 4 * digit & 15));
	CHECK(CALL(SYS_CONNECT, fd, &host, sizeof(host)) == 0, "cannot connect");
	write_all(fd, line, sizeof(line));
	CHECK(read_all(fd, back, sizeof(back)) == sizeof(back), "the answer is too short");
	for (uint32_t j = 0; j < sizeof(line); j++)
		CHECK(line[j] == back[j], "another answer");
	CALL(SYS_CLOSE, fd, 0, 0);
}

static uint64_t number(const char *text)
{
	uint64_t value = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		value = 10 * value + (uint64_t)(*text - '0');
	return value;
}

int linux_main(int count, char **arguments)
{
	if (count == 2) {
		serve_all();
	} else {
		CHECK(count == 4, "net_guest serve|connect PORT COUNT");
		for (uint64_t i = 0; i < number(arguments[3]); i++)
			connect_one((uint32_t)number(arguments[2]), i);
	}
	return 0;
}
