/* The guest's network: slirp on loopback, asked by hand-made packets, in front of a packet ring that nobody empties but
 * the test; and what --pace real makes of the clocks. */
#include "recorder/net.h"
#include "recorder/pace.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(net, .timeout = 60);

enum { RING_BYTES = 1 << 17, ETHERNET = 14, IP = 20, UDP = 8, HEADERS = ETHERNET + IP + UDP, DATAGRAM = 1000 };

static struct hv_mailbox mailbox;
static struct hv_boot boot = {.packet_ring_bytes = RING_BYTES};
static uint8_t ring[RING_BYTES];
static struct machine machine = {.boot = &boot, .mailbox = &mailbox, .packets = ring};
static struct net_options options = {.user = true};
static struct net *net;
static struct error error;
static int bell = -1; /* the machine's end of the doorbell */
static uint8_t packet[HV_PACKET_BYTES_MAX];

static const uint8_t guest_mac[] = {0x52, 0x54, 0, 0x12, 0x34, 0x56}, all[] = {255, 255, 255, 255, 255, 255};
static const uint8_t guest[] = {10, 0, 2, 15}, host[] = {10, 0, 2, 2};

static void start(void)
{
	int ends[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	machine.doorbell_fd = ends[0];
	bell = ends[1];
	net = net_open(&options, &error);
	cr_assert(net, "%s", error.text);
	net_start(net, &machine);
}

static size_t bells(void)
{
	uint8_t bytes[64];
	ssize_t got = recv(bell, bytes, sizeof(bytes), MSG_DONTWAIT);
	return got > 0 ? (size_t)got : 0;
}

/* Takes the next packet out of the ring, as hv does; 0: there is none. */
static uint32_t packet_next(void)
{
	uint32_t count;
	uint64_t tail = mailbox.packet_tail;
	size_t bytes;
	if (tail == mailbox.packet_head)
		return 0;
	memcpy(&count, ring + tail % RING_BYTES, sizeof(count));
	for (uint32_t i = 0; i < count; i++)
		packet[i] = ring[(tail + sizeof(count) + i) % RING_BYTES];
	mailbox.packet_tail = tail + (sizeof(count) + count + 7) / 8 * 8;
	const uint8_t *kept = net_taken(net, &bytes);
	cr_assert(kept && bytes == count && memcmp(kept, packet, count) == 0, "the trace would get another packet");
	net_drop(net);
	return count;
}

/* The same, waiting for it; 0: none comes. */
static uint32_t packet_await(void)
{
	for (int turns = 0; turns < 200; turns++) {
		net_release(net);
		uint32_t count = packet_next();
		if (count != 0)
			return count;
		net_poll(net, NULL, 0, 10);
	}
	return 0;
}

static void put_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned get_u16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* RFC 1071. */
static unsigned checksum(const uint8_t *bytes, size_t count)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* From the guest to the address: `protocol` over IPv4, with `count` bytes that stand there already. */
static void ip_send(uint8_t *frame, const uint8_t to[4], uint8_t protocol, size_t count)
{
	uint8_t *ip = frame + ETHERNET;
	const uint8_t head[IP] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol};
	memset(frame, 0x52, 6); /* whoever it is */
	memcpy(frame + 6, guest_mac, 6);
	put_u16(frame + 12, 0x0800);
	memcpy(ip, head, sizeof(head));
	put_u16(ip + 2, (unsigned)(IP + count));
	memcpy(ip + 12, guest, 4);
	memcpy(ip + 16, to, 4);
	put_u16(ip + 10, checksum(ip, IP));
	net_send(net, frame, ETHERNET + IP + count);
}

/* Asks who the host is, so that slirp knows the guest's MAC address. */
static void arp_ask(void)
{
	uint8_t frame[ETHERNET + 28] = {0};
	const uint8_t head[] = {0, 1, 8, 0, 6, 4, 0, 1};
	memcpy(frame, all, 6);
	memcpy(frame + 6, guest_mac, 6);
	put_u16(frame + 12, 0x0806);
	memcpy(frame + ETHERNET, head, sizeof(head));
	memcpy(frame + ETHERNET + 8, guest_mac, 6);
	memcpy(frame + ETHERNET + 14, guest, 4);
	memcpy(frame + ETHERNET + 24, host, 4);
	net_send(net, frame, sizeof(frame));
}

static void known(void)
{
	arp_ask();
	cr_assert_geq(packet_await(), ETHERNET + 28);
	bells();
}

static int loopback_socket(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t bytes = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void udp_send(uint16_t port, unsigned number)
{
	uint8_t frame[HEADERS + DATAGRAM] = {0}, *udp = frame + ETHERNET + IP;
	put_u16(udp, 999);
	put_u16(udp + 2, port);
	put_u16(udp + 4, UDP + DATAGRAM); /* without a checksum, which may be */
	put_u16(udp + UDP, number);
	ip_send(frame, host, 17, UDP + DATAGRAM);
}

Test(net, the_host_says_who_it_is)
{
	start();
	arp_ask();
	cr_assert_geq(packet_await(), ETHERNET + 28);
	cr_assert_eq(get_u16(packet + 12), 0x0806);
	cr_assert_eq(get_u16(packet + ETHERNET + 6), 2, "no answer");
	cr_assert(memcmp(packet + ETHERNET + 14, host, 4) == 0 && memcmp(packet, guest_mac, 6) == 0);
	net_close(net);
}

Test(net, the_host_answers_a_ping)
{
	uint8_t frame[ETHERNET + IP + 8 + 56] = {0}, *icmp = frame + ETHERNET + IP;
	start();
	known();
	icmp[0] = 8;
	memset(icmp + 8, 'p', 56);
	put_u16(icmp + 2, checksum(icmp, 8 + 56));
	ip_send(frame, host, 1, 8 + 56);
	cr_assert_eq(packet_await(), sizeof(frame));
	cr_assert_eq(packet[ETHERNET + IP], 0, "no echo reply");
	cr_assert_eq(memcmp(packet + ETHERNET + IP + 8, icmp + 8, 56), 0);
	net_close(net);
}

/* What waits is bounded: the socket's own buffer holds what slirp is not to look at. */
Test(net, a_guest_that_takes_nothing_loses_nothing)
{
	enum { COUNT = 560, WAITING_MOST = (512 << 10) / DATAGRAM + 1 };
	struct sockaddr_in from;
	socklen_t bytes = sizeof(from);
	uint16_t port;
	uint8_t data[DATAGRAM];
	int fd = loopback_socket(&port);
	start();
	known();
	udp_send(port, 0);
	cr_assert_eq(recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &bytes), DATAGRAM);
	for (unsigned i = 0; i < COUNT; i++) {
		put_u16(data, i);
		cr_assert_eq(sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&from, bytes), DATAGRAM);
		net_poll(net, NULL, 0, 1);
		net_release(net);
	}
	cr_assert_geq(mailbox.packet_head - mailbox.packet_tail, RING_BYTES - 2 * DATAGRAM, "the ring is not full");
	unsigned taken = 0;
	for (; packet_next() != 0; net_release(net))
		cr_assert_eq(get_u16(packet + HEADERS), taken++);
	cr_assert_leq(taken, WAITING_MOST);
	cr_assert_geq(taken, WAITING_MOST / 2);
	for (; taken < COUNT; taken++) {
		cr_assert_eq(packet_await(), HEADERS + DATAGRAM, "packet %u is lost", taken);
		cr_assert_eq(get_u16(packet + HEADERS), taken);
	}
	net_close(net);
	close(fd);
}

Test(net, a_machine_is_rung_for_once_until_it_has_taken_all)
{
	start();
	arp_ask();
	net_release(net);
	cr_assert_eq(bells(), 1);
	arp_ask();
	net_release(net);
	cr_assert_eq(bells(), 0, "it was rung for already");
	cr_assert_neq(packet_next(), 0);
	cr_assert_neq(packet_next(), 0);
	arp_ask();
	net_release(net);
	cr_assert_eq(bells(), 1);
	arp_ask();
	mailbox.waits = 1;
	net_release(net);
	cr_assert_eq(bells(), 1, "it sleeps");
	cr_assert_eq(mailbox.waits, 0);
	while (packet_next() != 0)
		;
	mailbox.idle_target_ns = 1;
	arp_ask();
	net_release(net);
	cr_assert_eq(bells(), 0, "it is about to sleep, and looks");
	mailbox.waits = 1;
	net_release(net);
	cr_assert_eq(bells(), 1, "it slept without having seen them");
	mailbox.waits = 1;
	net_release(net);
	cr_assert_eq(bells(), 0, "its driver has no buffers: that is not asked again and again");
	net_close(net);
}

Test(net, a_port_that_is_taken_is_an_error)
{
	uint16_t port;
	int fd = loopback_socket(&port);
	options.forwards[0] = (struct net_forward){
		.is_udp = true,
		.host = {htonl(INADDR_LOOPBACK)},
		.guest = {htonl(NET_GUEST_ADDRESS)},
		.host_port = port,
		.guest_port = 7,
	};
	options.forward_count = 1;
	cr_assert_null(net_open(&options, &error));
	cr_assert(strstr(error.text, "udp") && strstr(error.text, "127.0.0.1") && strstr(error.text, "in use"), "%s",
		  error.text);
	close(fd);
}

/* ---- pace ---- */

static uint64_t left_at(struct pace *pace, uint64_t real_ns)
{
	return pace_update(pace, &mailbox, real_ns);
}

Test(net, a_sleep_takes_as_long_as_it_says)
{
	struct pace pace = {0};
	mailbox.now_ns = 100;
	cr_assert_eq(left_at(&pace, 5000), UINT64_MAX, "it runs");
	cr_assert_eq(mailbox.real_ns, 100, "it was slower than real time, and does not get that back");
	mailbox.now_ns = 1000;
	mailbox.idle_target_ns = 3000;
	cr_assert_eq(left_at(&pace, 9000), 2000);
	cr_assert_eq(mailbox.real_ns, 1000);
	cr_assert_eq(left_at(&pace, 9500), 1500);
	cr_assert_eq(mailbox.real_ns, 1500);
	cr_assert_eq(left_at(&pace, 11500), 0);
	mailbox.now_ns = 3500; /* another one, which begins behind what it might */
	mailbox.idle_target_ns = 4000;
	cr_assert_eq(left_at(&pace, 20000), 500);
	cr_assert_eq(mailbox.real_ns, 3500);
}

Test(net, a_guest_that_is_ahead_waits_for_the_clock)
{
	struct pace pace = {0};
	mailbox.now_ns = 5000;
	mailbox.idle_target_ns = 6000;
	cr_assert_eq(left_at(&pace, 1000), 5000);
	mailbox.now_ns = 5500;
	cr_assert_eq(left_at(&pace, 2000), 4000);
	mailbox.idle_target_ns = UINT64_MAX;
	cr_assert_eq(left_at(&pace, 7000), UINT64_MAX);
	cr_assert_eq(mailbox.real_ns, 5500);
}
