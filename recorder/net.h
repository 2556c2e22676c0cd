/* The guest's network, as QEMU's user network is: libslirp, which turns the guest's packets into connections of this
 * process. The guest is 10.0.2.15 by DHCP, the host 10.0.2.2, the name server 10.0.2.3.
 *
 * Packets for the guest wait here until hv has taken them. How many wait is bounded by not looking at sockets: what
 * slirp then still has for the guest is what the guest's own packets ask for, which TCP's windows bound. */
#pragma once
#include "hv/error/error.h"
#include "hv/host/machine.h"
#include "recorder/net_options.h"
#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#define NET_MAC UINT64_C(0x563412005452) /* 52:54:00:12:34:56, first byte lowest: what QEMU gives its first card */

struct net;

/* Makes the network, and binds what is forwarded. NULL: error set. */
struct net *net_open(const struct net_options *options, struct error *error);
/* From here on packets go to this machine. */
void net_start(struct net *net, struct machine *machine);
/* poll(2) with the network's sockets beside `fds`; then the network acts on what came. */
void net_poll(struct net *net, struct pollfd *fds, size_t count, int timeout_ms);
/* The guest sent this packet. */
void net_send(struct net *net, const uint8_t *packet, size_t bytes);
/* Hands over as many packets as the machine has room for, and wakes it if it needs that. */
void net_release(struct net *net);
/* The packet that hv took next: the oldest that was handed over. Valid until net_drop; NULL: there is none. */
const uint8_t *net_taken(const struct net *net, size_t *bytes);
void net_drop(struct net *net);
/* Whether it works; fills `error` if not. */
bool net_healthy(const struct net *net, struct error *error);
/* NULL is allowed. */
void net_close(struct net *net);
