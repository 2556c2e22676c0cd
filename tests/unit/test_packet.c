/* What the headers of packets say: of each kind that is known, cut at every byte, and of others. */
#include "replay/trace/packet.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(packet);

#define ADDRESSES 0x52, 0x55, 10, 0, 2, 2, 0x52, 0x54, 0, 0x12, 0x34, 0x56

static const uint8_t tcp4[] = {ADDRESSES, 0x08, 0x00, 0x46, 0, 0, 28, 0, 0, 0x40, 0, 64,   6,    0, 0, 10,
			       0,         2,    15,   1,    2, 3, 4,  1, 1, 1,    0, 0x9c, 0x40, 0, 80};
static const uint8_t fragment4[] = {ADDRESSES, 0x08, 0x00, 0x45, 0,  0, 24, 0, 0, 0,    5,    64, 17, 0,
				    0,         10,   0,    2,    15, 1, 2,  3, 4, 0x9c, 0x40, 0,  80};
static const uint8_t icmp4[] = {ADDRESSES, 0x08, 0x00, 0x45, 0,  0, 24, 0, 0, 0, 0, 64, 1, 0,
				0,         10,   0,    2,    15, 1, 2,  3, 4, 8, 0, 1,  1};
static const uint8_t vlan[] = {ADDRESSES, 0x81, 0x00, 0,  5, 0x08, 0x00, 0x45, 0, 0, 28, 0, 0,  0,    0,   64,
			       17,        0,    0,    10, 0, 2,    15,   1,    2, 3, 4,  0, 53, 0x12, 0x34};
#define FEC0(last) 0xfe, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last
/* Hop by hop, then the first fragment, then UDP. */
static const uint8_t udp6[] = {ADDRESSES, 0x86, 0xdd, 0x60, 0,  0, 0, 0, 20, 0, 64, FEC0(2), FEC0(3), 44, 0, 1, 4,
			       0,         0,    0,    0,    17, 0, 0, 1, 0,  0, 0,  9,       1,       2,  3, 4};
static const uint8_t later6[] = {ADDRESSES, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 12, 44, 64, FEC0(2), FEC0(3),
				 17,        0,    0,    8,    0, 0, 0, 9, 1,  2,  3,  4};
static const uint8_t arp[] = {ADDRESSES, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1};
static const uint8_t not_ip[] = {ADDRESSES, 0x08, 0x00, 0x55, 0,  0, 28, 0, 0, 0, 0, 64, 17, 0,
				 0,         10,   0,    2,    15, 1, 2,  3, 4, 0, 1, 0,  2};

static const struct known {
	const uint8_t *frame;
	size_t bytes;
	uint16_t ethertype;
	const char *source; /* NULL: no addresses */
	const char *destination;
	uint8_t protocol;
	uint16_t source_port, destination_port; /* 0: none */
} known[] = {
	{tcp4, sizeof(tcp4), 0x0800, "10.0.2.15", "1.2.3.4", 6, 40000, 80},
	{fragment4, sizeof(fragment4), 0x0800, "10.0.2.15", "1.2.3.4", 17, 0, 0},
	{icmp4, sizeof(icmp4), 0x0800, "10.0.2.15", "1.2.3.4", 1, 0, 0},
	{vlan, sizeof(vlan), 0x0800, "10.0.2.15", "1.2.3.4", 17, 53, 0x1234},
	{udp6, sizeof(udp6), 0x86dd, "fec0::2", "fec0::3", 17, 0x0102, 0x0304},
	{later6, sizeof(later6), 0x86dd, "fec0::2", "fec0::3", 44, 0, 0},
	{arp, sizeof(arp), 0x0806, NULL, NULL, 0, 0, 0},
	{not_ip, sizeof(not_ip), 0x0800, NULL, NULL, 0, 0, 0},
};
enum { COUNT = sizeof(known) / sizeof(known[0]) };

Test(packet, what_the_headers_say)
{
	for (size_t i = 0; i < COUNT; i++) {
		struct packet packet;
		packet_parse(known[i].frame, known[i].bytes, &packet);
		cr_expect(packet.has_ethertype && packet.ethertype == known[i].ethertype, "frame %zu", i);
		cr_assert_eq(packet.has_addresses, known[i].source != NULL, "frame %zu", i);
		cr_assert_eq(packet.has_ports, known[i].source_port != 0, "frame %zu", i);
		if (packet.has_addresses)
			cr_expect(strcmp(packet.source, known[i].source) == 0 &&
					  strcmp(packet.destination, known[i].destination) == 0 &&
					  packet.protocol == known[i].protocol,
				  "frame %zu: %s %s %u", i, packet.source, packet.destination, packet.protocol);
		cr_expect(packet.source_port == known[i].source_port &&
				  packet.destination_port == known[i].destination_port,
			  "frame %zu", i);
	}
}

/* The sanitizer sees whoever reads behind a frame's end. */
Test(packet, a_frame_that_is_cut_has_what_is_whole)
{
	for (size_t i = 0; i < COUNT; i++) {
		for (size_t bytes = 0; bytes < known[i].bytes; bytes++) {
			struct packet packet;
			uint8_t *cut = malloc(bytes + (bytes == 0));
			memcpy(cut, known[i].frame, bytes);
			packet_parse(cut, bytes, &packet);
			cr_expect_eq(packet.has_ethertype, bytes >= 14);
			cr_expect(!packet.has_ports, "frame %zu of %zu bytes", i, bytes);
			cr_expect(packet.has_ethertype || !packet.has_addresses);
			free(cut);
		}
	}
}

Test(packet, an_endless_chain_of_headers_ends)
{
	static uint8_t frame[65536];
	struct packet packet;
	memcpy(frame, udp6, 14);
	frame[14] = 0x60;
	for (size_t at = 54; at < sizeof(frame); at++)
		frame[at] = 0; /* hop by hop, after hop by hop */
	packet_parse(frame, sizeof(frame), &packet);
	cr_expect(packet.has_addresses && !packet.has_ports && packet.protocol == 0);
}
