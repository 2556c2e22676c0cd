/* What the headers of an Ethernet frame say: enough to find a connection, not to follow it. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packet {
	bool has_ethertype, has_addresses, has_ports;                 /* each only with those before it */
	uint16_t ethertype;                                           /* behind a VLAN's tag */
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN]; /* of IPv4 and IPv6 */
	uint8_t protocol;                                             /* of IP: what follows its headers */
	uint16_t source_port, destination_port;                       /* of TCP and UDP */
};

/* Cannot fail: what is too short, or is something else, is not there. */
void packet_parse(const uint8_t *frame, size_t bytes, struct packet *packet);
