/* Stands in for the gate (hv/core/gate.c), hv/arch, and interrupts: each function as its header says, and it checks
 * what hv may not do whatever its guest does. */
#include "tests/fuzz/virtio_host.h"
#include "hv/arch/arch.h"
#include "hv/core/gate.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/core/net.h"
#include "hv/core/patch.h"
#include "hv/core/virtio_bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hv hv;
struct host host;

static struct hv_boot boot;
static uint8_t transfer[HV_TRANSFER_BYTES];
static uint32_t given; /* bytes in the transfer area that the next event is to be of */

static void demand(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "virtio_host: %s\n", what);
	abort();
}

static void boot_write(void)
{
	boot = (struct hv_boot){.guest_ram_pa = (uint64_t)(uintptr_t)host.ram,
				.guest_ram_bytes = HOST_RAM_BYTES,
				.transfer_pa = (uint64_t)(uintptr_t)transfer};
	boot.virtio[HOST_DISK] = (struct hv_virtio){VIRTIO_TYPE_BLOCK, 0, HOST_DISK_SECTORS, "serial of 20 letters"};
	boot.virtio[HOST_DISK_READ_ONLY] =
		(struct hv_virtio){VIRTIO_TYPE_BLOCK, VIRTIO_READ_ONLY, HOST_DISK_SECTORS, "ro"};
	boot.virtio[HOST_RNG].type = VIRTIO_TYPE_ENTROPY;
	boot.virtio[HOST_NET].type = VIRTIO_TYPE_NET;
}

void host_begin(void)
{
	if (!host.ram)
		host.ram = malloc(HOST_RAM_BYTES);
	demand(host.ram, "out of memory");
	memset(host.ram, 0, HOST_RAM_BYTES);
	boot_write();
	memset(&hv, 0, sizeof(hv));
	hv.boot = &boot;
	hv.guest.vcpu_count = 1;
	hv.vcpu = &hv.guest.vcpu[0];
	host.packets = 0;
	host.fails = false;
	given = 0;
	virtio_bus_init();
}

void host_settle(void)
{
	virtio_bus_serve();
}

bool host_time_passes(void)
{
	uint64_t first = UINT64_MAX;
	for (uint32_t i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		uint64_t deadline = hv.guest.virtio[i].deadline_ns;
		if (deadline != 0 && deadline < first)
			first = deadline;
	}
	if (first == UINT64_MAX)
		return false;
	demand(first > hv_now().v, "a deadline has passed");
	hv.guest.idle_ns += first - hv_now().v;
	virtio_bus_complete();
	virtio_bus_serve();
	return true;
}

static uint8_t hash_byte(uint64_t a, uint64_t b)
{
	uint64_t z = (a * UINT64_C(0x9e3779b97f4a7c15) + b) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint8_t)(z >> 40);
}

uint8_t host_random_byte(uint64_t at)
{
	return hash_byte(at, 1);
}

uint8_t host_packet_byte(uint64_t number, uint32_t at)
{
	return hash_byte(number, at + 2);
}

uint32_t host_packet_bytes(uint64_t number)
{
	return 14 + hash_byte(number, 0) * 7u;
}

/* ---- the gate ---- */

static void disk_ask(const struct hv_ask *ask)
{
	demand(ask->device <= HOST_DISK_READ_ONLY, "a read from what is no disk");
	demand(ask->sector <= HOST_DISK_SECTORS && ask->bytes % 512 == 0 &&
		       ask->bytes / 512 <= HOST_DISK_SECTORS - ask->sector,
	       "a read beyond the disk");
	memcpy(transfer, &host.disk[ask->device][ask->sector * 512], ask->bytes);
}

bool gate_ask(enum event_kind kind, struct hv_ask *ask)
{
	(void)kind;
	demand(ask->bytes <= HV_TRANSFER_BYTES, "an ask of too many bytes");
	if (host.fails)
		return false;
	if (ask->kind == HV_ASK_DISK_READ)
		disk_ask(ask);
	if (ask->kind == HV_ASK_PACKET) {
		ask->bytes = host_packet_bytes(host.packet_at);
		for (uint32_t i = 0; i < ask->bytes; i++)
			transfer[i] = host_packet_byte(host.packet_at, i);
		host.packet_at++;
		host.packets--;
	}
	for (uint32_t i = 0; ask->kind == HV_ASK_ENTROPY && i < ask->bytes; i++)
		transfer[i] = host_random_byte(host.random_at++);
	return true;
}

void gate_output(const void *bytes, uint32_t count)
{
	demand(bytes == transfer && count <= HV_TRANSFER_BYTES, "bytes from elsewhere");
	demand(given == 0, "bytes without an event");
	given = count;
}

static uint8_t *sectors_at(uint64_t address, uint64_t bytes)
{
	uint64_t disk = address >> 56, sector = address & (UINT64_MAX >> 8);
	demand(disk == HOST_DISK, "a write to what is no disk, or read-only");
	demand(sector <= HOST_DISK_SECTORS && bytes % 512 == 0 && bytes / 512 <= HOST_DISK_SECTORS - sector,
	       "a write beyond the disk");
	return &host.disk[disk][sector * 512];
}

void gate_device(enum event_kind kind, uint64_t address, uint64_t value)
{
	uint32_t bytes = (uint32_t)(value >> 32);
	host.events++;
	if (kind == EVENT_DISK_WRITE || kind == EVENT_PACKET_OUT) {
		demand(bytes == given, "an event of other bytes than were given");
		given = 0;
		host.moved += bytes;
	}
	if (kind == EVENT_DISK_WRITE)
		memcpy(sectors_at(address, bytes), transfer, bytes);
	if (kind == EVENT_DISK_ZERO)
		memset(sectors_at(address, value), 0, value);
	if (kind != EVENT_PACKET_OUT)
		return;
	host.sent++;
	host.sent_bytes = bytes;
	demand(bytes <= sizeof(host.sent_packet), "a packet larger than RAM");
	memcpy(host.sent_packet, transfer, bytes);
}

void gate_sent(void)
{
}

bool gate_packet(uint32_t transport)
{
	return host.packets != 0 && virtio_device_has_work(transport, NET_RECEIVE);
}

/* ---- interrupts, hv/arch, replaced instructions ---- */

void interrupts_fold(void)
{
}

void interrupts_set_level(uint32_t intid, bool level)
{
	uint32_t transport = intid - GUEST_INTID_VIRTIO;
	demand(transport < GUEST_VIRTIO_COUNT, "an interrupt of no transport");
	host.level[transport] = level;
}

bool interrupts_enabled(uint32_t vcpu, uint32_t intid)
{
	(void)vcpu;
	(void)intid;
	return true;
}

bool patch_covers(ipa_t ipa, uint64_t bytes)
{
	demand(ipa.v % 4096 == 0 && bytes == 4096, "a page is meant");
	return false;
}

bool patch_release(ipa_t page)
{
	demand(page.v - GUEST_RAM_IPA < HOST_RAM_BYTES, "a page beyond RAM");
	return false;
}

void arch_page_written(ipa_t page)
{
	demand(page.v - GUEST_RAM_IPA < HOST_RAM_BYTES, "a page beyond RAM");
}

void arch_copy(void *to, const void *from, size_t bytes)
{
	memmove(to, from, bytes);
}
