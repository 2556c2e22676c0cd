/* What hv's devices stand on, for fuzz_virtio: guest RAM of its own, a disk, packets and random bytes behind the gate,
 * and what the devices did of it, so that a test can compare. */
#pragma once
#include "hv/abi/event.h"
#include "hv/abi/machine.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOST_RAM_BYTES = 96 << 10, HOST_DISK_SECTORS = 200, HOST_DISK_BYTES = HOST_DISK_SECTORS * 512 };
/* Its transports. */
enum { HOST_DISK = 0, HOST_DISK_READ_ONLY = 1, HOST_RNG = 2, HOST_NET = 3, HOST_EMPTY = 4, HOST_TRANSPORTS = 5 };

struct host {
	uint8_t *ram;
	uint8_t disk[2][HOST_DISK_BYTES];
	uint64_t random_at; /* of the random bytes: how many were given */
	uint32_t packets;   /* that wait for the guest */
	uint64_t packet_at; /* number of the next one */
	uint64_t sent;      /* packets of the guest, and the last of them */
	uint32_t sent_bytes;
	uint8_t sent_packet[HOST_RAM_BYTES];
	uint64_t events, moved;         /* how many there were, of how many bytes */
	bool fails;                     /* what hv asks for */
	bool level[GUEST_VIRTIO_COUNT]; /* interrupt lines */
};

extern struct host host;

/* hv with these devices, at rest, and RAM of zeroes. */
void host_begin(void);
/* Lets guest time go to the next deadline of a device. False: there is none. */
bool host_time_passes(void);
/* Lets hv settle. */
void host_settle(void);
/* The random byte number `at`; byte `at` of packet `number`, and how many it has. */
uint8_t host_random_byte(uint64_t at);
uint8_t host_packet_byte(uint64_t number, uint32_t at);
uint32_t host_packet_bytes(uint64_t number);
