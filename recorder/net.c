/* 1. Packets for the guest are a list, in order: handed over first, then waiting. Those that were handed over stay
 * until their events have come, for the trace.
 * 2. slirp's time is the real clock, and it is called by one thread.
 * 3. IPv4 only: slirp needs no timers for it but those that it looks at in net_poll. */
#include "recorder/net.h"
#include "hv/abi/types.h"
#include "hv/error/check.h"
#include "hv/host/session.h"

#include <errno.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_BYTES_MAX = 1 << 19, FULL_TICK_MS = 1, MTU = 1500 };

struct packet {
	struct packet *next;
	size_t bytes;
	uint8_t data[];
};

struct net {
	Slirp *slirp;
	struct machine *machine;
	struct packet *first, **end; /* all packets that hv has not been seen to take … */
	struct packet **waiting;     /* … and where those begin that were not handed over */
	size_t waiting_bytes;        /* of all of them */
	uint64_t rung_head;          /* of the machine's packet ring, when it was rung for it */
	struct pollfd *fds;
	size_t fd_count, fd_room;
	bool no_memory;
};

static ssize_t packet_come(const void *data, size_t bytes, void *context)
{
	struct net *net = context;
	struct packet *packet = bytes <= HV_PACKET_BYTES_MAX ? malloc(sizeof(*packet) + bytes) : NULL;
	if (!packet) {
		net->no_memory = true;
		return -1;
	}
	packet->next = NULL;
	packet->bytes = bytes;
	memcpy(packet->data, data, bytes);
	*net->end = packet;
	net->end = &packet->next;
	net->waiting_bytes += bytes;
	return (ssize_t)bytes;
}

static void guest_error(const char *text, void *context)
{
	(void)context;
	fprintf(stderr, "hvrec: warning: network: %s\n", text);
}

static int64_t now_ns(void *context)
{
	(void)context;
	return session_now_ns();
}

/* Sockets are asked for at each poll, so nothing is kept of them; and each turn of the recording polls. */
static void fd_seen(int fd, void *context)
{
	(void)fd;
	(void)context;
}

static void noticed(void *context)
{
	(void)context;
}

static const SlirpCb callbacks = {
	.send_packet = packet_come,
	.guest_error = guest_error,
	.clock_get_ns = now_ns,
	.register_poll_fd = fd_seen,
	.unregister_poll_fd = fd_seen,
	.notify = noticed,
};

static struct in_addr address(uint32_t host_order)
{
	return (struct in_addr){htonl(host_order)};
}

static Slirp *slirp_make(const struct net_options *options, struct net *net)
{
	SlirpConfig config = {
		.version = 1,
		.restricted = options->is_closed,
		.in_enabled = true,
		.vnetwork = address(0x0a000200),
		.vnetmask = address(0xffffff00),
		.vhost = address(0x0a000202),
		.vdhcp_start = address(NET_GUEST_ADDRESS),
		.vnameserver = address(0x0a000203),
		.if_mtu = MTU,
		.if_mru = MTU,
	};
	return slirp_new(&config, &callbacks, net);
}

static bool forward_open(struct net *net, const struct net_forward *forward, struct error *error)
{
	char host[INET_ADDRSTRLEN];
	errno = 0;
	if (slirp_add_hostfwd(net->slirp, forward->is_udp, forward->host, forward->host_port, forward->guest,
			      forward->guest_port) == 0)
		return true;
	return error_set(error, STATUS_FAILED, "--net: cannot forward %s port %u of %s: %s",
			 forward->is_udp ? "udp" : "tcp", forward->host_port,
			 inet_ntop(AF_INET, &forward->host, host, sizeof(host)), strerror(errno));
}

struct net *net_open(const struct net_options *options, struct error *error)
{
	struct net *net = calloc(1, sizeof(*net));
	if (!net)
		return error_set(error, STATUS_FAILED, "out of memory"), NULL;
	net->end = net->waiting = &net->first;
	net->slirp = slirp_make(options, net);
	bool good = net->slirp || error_set(error, STATUS_FAILED, "--net: libslirp cannot make a network");
	for (size_t i = 0; good && i < options->forward_count; i++)
		good = forward_open(net, &options->forwards[i], error);
	if (good)
		return net;
	net_close(net);
	return NULL;
}

void net_start(struct net *net, struct machine *machine)
{
	net->machine = machine;
}

/* A slot for one more; -1: out of memory. */
static int fd_add(struct net *net, int fd, short events)
{
	if (net->fd_count == net->fd_room) {
		size_t room = 2 * net->fd_room + 16;
		struct pollfd *grown = realloc(net->fds, room * sizeof(*grown));
		if (!grown) {
			net->no_memory = true;
			return -1;
		}
		net->fds = grown;
		net->fd_room = room;
	}
	net->fds[net->fd_count] = (struct pollfd){.fd = fd, .events = events};
	return (int)net->fd_count++;
}

static const struct {
	int slirp;
	short poll;
} conditions[] = {
	{SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
	{SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};
enum { CONDITION_COUNT = sizeof(conditions) / sizeof(conditions[0]) };

static int slirp_fd_add(int fd, int events, void *context)
{
	short wanted = 0;
	for (size_t i = 0; i < CONDITION_COUNT; i++)
		wanted = (short)(wanted | (events & conditions[i].slirp ? conditions[i].poll : 0));
	return fd_add(context, fd, wanted);
}

static int slirp_fd_came(int slot, void *context)
{
	const struct net *net = context;
	int came = 0;
	for (size_t i = 0; slot >= 0 && i < CONDITION_COUNT; i++)
		came |= net->fds[slot].revents & conditions[i].poll ? conditions[i].slirp : 0;
	return came;
}

static void poll_beside(struct net *net, struct pollfd *fds, size_t count, int timeout_ms)
{
	uint32_t slirp_ms = (uint32_t)timeout_ms;
	slirp_pollfds_fill(net->slirp, &slirp_ms, slirp_fd_add, net);
	int got = poll(net->fds, net->fd_count, (int)slirp_ms);
	slirp_pollfds_poll(net->slirp, got < 0, slirp_fd_came, net);
	for (size_t i = 0; i < count; i++)
		fds[i].revents = (short)(got < 0 ? 0 : net->fds[i].revents);
}

void net_poll(struct net *net, struct pollfd *fds, size_t count, int timeout_ms)
{
	bool room = net->waiting_bytes < WAITING_BYTES_MAX;
	net->fd_count = 0;
	for (size_t i = 0; room && i < count; i++)
		room = fd_add(net, fds[i].fd, fds[i].events) >= 0;
	if (room)
		poll_beside(net, fds, count, timeout_ms);
	else
		poll(fds, count, timeout_ms < FULL_TICK_MS ? timeout_ms : FULL_TICK_MS);
}

void net_send(struct net *net, const uint8_t *packet, size_t bytes)
{
	slirp_input(net->slirp, packet, (int)bytes);
}

/* A machine that is about to sleep looks once more before, and rings when it does sleep: it is woken then if it missed
 * them. One that runs is interrupted only for the first packet after it has taken all that it was rung for. */
static void machine_tell(struct net *net)
{
	struct hv_mailbox *mailbox = net->machine->mailbox;
	uint64_t head = mailbox->packet_head, tail = machine_index_load(&mailbox->packet_tail);
	if (head == tail || head == net->rung_head)
		return;
	if (__atomic_load_n(&mailbox->waits, __ATOMIC_SEQ_CST))
		machine_wake(net->machine);
	else if (machine_index_load(&mailbox->idle_target_ns) == 0 && tail >= net->rung_head)
		machine_ring(net->machine);
	else
		return;
	net->rung_head = head;
}

void net_release(struct net *net)
{
	for (; *net->waiting; net->waiting = &(*net->waiting)->next) {
		if (!machine_packet_put(net->machine, (*net->waiting)->data, (uint32_t)(*net->waiting)->bytes))
			break;
	}
	machine_tell(net);
}

const uint8_t *net_taken(const struct net *net, size_t *bytes)
{
	if (net->waiting == &net->first)
		return NULL;
	*bytes = net->first->bytes;
	return net->first->data;
}

void net_drop(struct net *net)
{
	struct packet *packet = net->first;
	CHECK(net->waiting != &net->first);
	net->first = packet->next;
	net->waiting_bytes -= packet->bytes;
	if (net->waiting == &packet->next)
		net->waiting = &net->first;
	if (net->end == &packet->next)
		net->end = &net->first;
	free(packet);
}

bool net_healthy(const struct net *net, struct error *error)
{
	return !net->no_memory || error_set(error, STATUS_FAILED, "out of memory");
}

void net_close(struct net *net)
{
	if (!net)
		return;
	if (net->slirp)
		slirp_cleanup(net->slirp);
	for (struct packet *next, *packet = net->first; packet; packet = next) {
		next = packet->next;
		free(packet);
	}
	free(net->fds);
	free(net);
}
