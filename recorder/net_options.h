/* The network that the user gives the guest. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NET_FORWARDS_MAX = 64 };
#define NET_GUEST_ADDRESS UINT32_C(0x0a00020f) /* 10.0.2.15, which DHCP gives it */

/* Connections (or datagrams) to a port of the host that go to one of the guest. */
struct net_forward {
	bool is_udp;
	struct in_addr host, guest;
	uint16_t host_port, guest_port;
};

struct net_options {
	bool user;      /* there is one: libslirp's */
	bool is_closed; /* nothing of the host or beyond can be reached but what is forwarded */
	struct net_forward forwards[NET_FORWARDS_MAX];
	size_t forward_count;
};
