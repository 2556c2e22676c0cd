/* IEEE 802.3 and 802.1Q; RFC 791; RFC 8200 with its extension headers; ports as RFC 9293 and RFC 768 have them. Nothing
 * of a frame is trusted: the cursor never leaves it. */
#include "replay/trace/packet.h"

#include <arpa/inet.h>
#include <net/ethernet.h>

enum { VLAN_TAG_BYTES = 4, IPV6_BYTES = 40, IPV4_BYTES_MIN = 20, PORTS_BYTES = 4, EXTENSIONS_MAX = 16 };

/* What is left of the frame. */
struct rest {
	const uint8_t *at;
	size_t bytes;
};

static uint16_t u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* False: there are not so many bytes. */
static bool skip(struct rest *rest, size_t bytes)
{
	if (rest->bytes < bytes)
		return false;
	rest->at += bytes;
	rest->bytes -= bytes;
	return true;
}

static void parse_ports(const struct rest *rest, struct packet *packet)
{
	packet->has_ports =
		(packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP) && rest->bytes >= PORTS_BYTES;
	if (!packet->has_ports)
		return;
	packet->source_port = u16(rest->at);
	packet->destination_port = u16(rest->at + 2);
}

static void parse_addresses(int family, const uint8_t *source, const uint8_t *destination, struct packet *packet)
{
	packet->has_addresses = inet_ntop(family, source, packet->source, sizeof(packet->source)) &&
				inet_ntop(family, destination, packet->destination, sizeof(packet->destination));
}

/* Only the first fragment of a datagram has ports. */
static void parse_ipv4(struct rest rest, struct packet *packet)
{
	const uint8_t *header = rest.at;
	size_t header_bytes = rest.bytes >= IPV4_BYTES_MIN ? (size_t)(header[0] & 0xf) * 4 : 0;
	if (header_bytes < IPV4_BYTES_MIN || header[0] >> 4 != 4)
		return;
	packet->protocol = header[9];
	parse_addresses(AF_INET, header + 12, header + 16, packet);
	if ((u16(header + 6) & 0x1fff) == 0 && skip(&rest, header_bytes))
		parse_ports(&rest, packet);
}

/* Passes over one extension header. False: it is none, or cut, or ports do not follow it. */
static bool skip_extension(struct rest *rest, uint8_t *protocol)
{
	uint8_t type = *protocol;
	bool is_fragment = type == IPPROTO_FRAGMENT;
	if ((type != IPPROTO_HOPOPTS && type != IPPROTO_ROUTING && type != IPPROTO_DSTOPTS && !is_fragment) ||
	    rest->bytes < 8 || (is_fragment && (u16(rest->at + 2) & 0xfff8) != 0))
		return false;
	*protocol = rest->at[0];
	return skip(rest, is_fragment ? 8 : ((size_t)rest->at[1] + 1) * 8);
}

static void parse_ipv6(struct rest rest, struct packet *packet)
{
	const uint8_t *header = rest.at;
	if (!skip(&rest, IPV6_BYTES) || header[0] >> 4 != 6)
		return;
	packet->protocol = header[6];
	parse_addresses(AF_INET6, header + 8, header + 24, packet);
	for (int i = 0; i < EXTENSIONS_MAX && skip_extension(&rest, &packet->protocol); i++)
		;
	parse_ports(&rest, packet);
}

void packet_parse(const uint8_t *frame, size_t bytes, struct packet *packet)
{
	struct rest rest = {frame, bytes};
	*packet = (struct packet){.has_ethertype = false};
	if (!skip(&rest, ETHER_HDR_LEN))
		return;
	packet->ethertype = u16(rest.at - 2);
	packet->has_ethertype = true;
	if (packet->ethertype == ETHERTYPE_VLAN && skip(&rest, VLAN_TAG_BYTES))
		packet->ethertype = u16(rest.at - 2);
	if (packet->ethertype == ETHERTYPE_IP)
		parse_ipv4(rest, packet);
	else if (packet->ethertype == ETHERTYPE_IPV6)
		parse_ipv6(rest, packet);
}
