/* The machine's memory and its doorbell. Starting the process is in machine_process.c. */
#include "hv/host/machine.h"
#include "hv/abi/types.h"
#include "hv/error/check.h"
#include "hv/host/machine_process.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_BYTES       (UINT64_C(2) << 20)
#define MAILBOX_OFFSET    UINT64_C(0x10000) /* after the boot block */
#define RINGS_PA          (HV_IMAGE_PA + HV_IMAGE_BYTES_MAX)
#define EVENT_RING_COUNT  (UINT64_C(1) << 16)
#define INPUT_RING_BYTES  (UINT64_C(1) << 16)
#define OUTPUT_RING_BYTES (UINT64_C(4) << 20)
#define PACKET_RING_BYTES (UINT64_C(1) << 20)
#define STAGING_COUNT     UINT64_C(4096)

#define STUCK_NS INT64_C(60000000000) /* a machine that shows no progress for so long is looked at */
#define LOOK_NS  INT64_C(100000)
#define DEAF_NS  INT64_C(20000000000) /* and for one that was asked to stop */

enum { START_TICK_MS = 50, START_PATIENCE_MS = 120000 };

static int64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * (int64_t)NS_PER_S + time.tv_nsec;
}

static uint64_t block_up(uint64_t value)
{
	return (value + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1);
}

/* Room for stage 2's leaves (8 bytes for each 4 KiB), its upper levels, and hv's own map of everything. */
static uint64_t tables_bytes(uint64_t guest_ram_bytes)
{
	return block_up(guest_ram_bytes / 512 + guest_ram_bytes / (UINT64_C(512) * 512) * 2 + (UINT64_C(1) << 20));
}

static void layout_machine(struct machine *machine, uint64_t guest_ram_bytes, uint32_t vcpu_count)
{
	struct hv_boot boot = {.magic = HV_BOOT_MAGIC, .version = HV_ABI_VERSION, .vcpu_count = vcpu_count};
	boot.mailbox_pa = HV_BOOT_PA + MAILBOX_OFFSET;
	boot.event_ring_pa = RINGS_PA;
	boot.event_ring_count = EVENT_RING_COUNT;
	boot.input_ring_pa = boot.event_ring_pa + block_up(EVENT_RING_COUNT * sizeof(struct event));
	boot.input_ring_bytes = INPUT_RING_BYTES;
	boot.output_ring_pa = boot.input_ring_pa + block_up(INPUT_RING_BYTES);
	boot.output_ring_bytes = OUTPUT_RING_BYTES;
	boot.transfer_pa = boot.output_ring_pa + block_up(OUTPUT_RING_BYTES);
	boot.packet_ring_pa = boot.transfer_pa + block_up(HV_TRANSFER_BYTES);
	boot.packet_ring_bytes = PACKET_RING_BYTES;
	boot.staging_pa = boot.packet_ring_pa + block_up(PACKET_RING_BYTES);
	boot.staging_count = STAGING_COUNT;
	boot.tables_pa = boot.staging_pa + block_up(STAGING_COUNT * sizeof(struct hv_page));
	boot.tables_bytes = tables_bytes(guest_ram_bytes);
	boot.flash_pa = boot.tables_pa + boot.tables_bytes;
	boot.guest_ram_pa = boot.flash_pa + GUEST_FLASH_BANK_BYTES;
	boot.guest_ram_bytes = guest_ram_bytes;
	machine->ram_bytes = boot.guest_ram_pa + block_up(guest_ram_bytes) - HV_MACHINE_RAM_PA;
	machine->guest_ram_bytes = guest_ram_bytes;
	machine->boot = malloc(sizeof(boot));
	if (machine->boot)
		*machine->boot = boot;
}

static uint8_t *host_address(const struct machine *machine, uint64_t pa)
{
	return machine->ram + (pa - HV_MACHINE_RAM_PA);
}

static bool ram_map(struct machine *machine, struct error *error)
{
	struct hv_boot *boot = machine->boot;
	machine->ram_fd = memfd_create("hvrec-ram", 0);
	if (machine->ram_fd < 0 || ftruncate(machine->ram_fd, (off_t)machine->ram_bytes) != 0)
		return error_set(error, STATUS_FAILED, "cannot make %llu MiB of memory for the machine: %s",
				 (unsigned long long)(machine->ram_bytes >> 20), strerror(errno));
	void *ram =
		mmap(NULL, machine->ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, machine->ram_fd, 0);
	if (ram == MAP_FAILED)
		return error_set(error, STATUS_FAILED, "cannot map %llu MiB for the machine: %s; ask for less --memory",
				 (unsigned long long)(machine->ram_bytes >> 20), strerror(errno));
	machine->ram = ram;
	machine->mailbox = (struct hv_mailbox *)(void *)host_address(machine, boot->mailbox_pa);
	machine->events = (struct event *)(void *)host_address(machine, boot->event_ring_pa);
	machine->input = host_address(machine, boot->input_ring_pa);
	machine->output = host_address(machine, boot->output_ring_pa);
	machine->transfer = host_address(machine, boot->transfer_pa);
	machine->packets = host_address(machine, boot->packet_ring_pa);
	machine->guest_ram = host_address(machine, boot->guest_ram_pa);
	machine->guest_flash = host_address(machine, boot->flash_pa);
	return true;
}

struct machine *machine_create(uint64_t guest_ram_bytes, uint32_t vcpu_count, struct error *error)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	if (!machine)
		return error_set(error, STATUS_FAILED, "out of memory"), NULL;
	machine->ram_fd = machine->doorbell_fd = machine->log_fd = -1;
	layout_machine(machine, guest_ram_bytes, vcpu_count);
	if (!machine->boot || !ram_map(machine, error)) {
		error_set(error, STATUS_FAILED, "out of memory");
		machine_destroy(machine);
		return NULL;
	}
	return machine;
}

/* hv rings when it runs. */
static bool wait_for_hv(struct machine *machine, struct error *error)
{
	struct pollfd doorbell = {.fd = machine->doorbell_fd, .events = POLLIN};
	for (int ticks = 0; machine_state(machine) == HV_STATE_OFF; ticks++) {
		sigset_t pending;
		if (!machine_running(machine, error))
			return false;
		if (sigpending(&pending) == 0 &&
		    (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) || sigismember(&pending, SIGHUP)))
			return error_set(error, STATUS_FAILED, "interrupted before the machine had started");
		if (ticks * START_TICK_MS > START_PATIENCE_MS && !machine_is_debugged())
			return error_set(error, STATUS_FAILED, "the machine (QEMU) runs, but hv does not start in it");
		poll(&doorbell, 1, START_TICK_MS);
		if (doorbell.revents & (POLLHUP | POLLERR)) /* it is about to end, and poll does not wait any more */
			poll(NULL, 0, START_TICK_MS);
		machine_doorbell_take(machine);
	}
	return true;
}

bool machine_flash_put(struct machine *machine, uint64_t offset, const void *image, uint64_t bytes)
{
	uint64_t *flash_bytes = &machine->boot->flash_bytes;
	if (offset > GUEST_FLASH_BANK_BYTES || bytes > GUEST_FLASH_BANK_BYTES - offset)
		return false;
	memcpy(machine->guest_flash + offset, image, bytes);
	if (*flash_bytes < block_up(offset + bytes))
		*flash_bytes = block_up(offset + bytes);
	return true;
}

bool machine_start(struct machine *machine, const struct machine_config *config, struct error *error)
{
	struct hv_boot *boot = machine->boot;
	boot->mode = (uint32_t)config->mode;
	boot->pace = (uint32_t)config->pace;
	boot->rtc_base_s = config->rtc_base_s;
	boot->limit_n = config->limit_n;
	boot->turn_seed = config->turn_seed;
	boot->until_n = config->until_n;
	boot->entry_ipa = config->entry_ipa;
	boot->dtb_ipa = config->dtb_ipa;
	boot->serve = config->serve;
	boot->resume = config->resume;
	boot->machine_version = config->machine_version;
	boot->fingerprint_count = config->fingerprint_count;
	memcpy(boot->fingerprint, config->fingerprint, sizeof(boot->fingerprint));
	memcpy(boot->virtio, config->virtio, sizeof(boot->virtio));
	memcpy(host_address(machine, HV_BOOT_PA), boot, sizeof(*boot));
	return machine_process_start(machine, error) && wait_for_hv(machine, error);
}

/* Before hv can see what it is rung for, so that it does not go on without the bell. */
static void bell_announce(struct machine *machine)
{
	uint32_t next = (machine->mailbox->bell + 1) & UINT8_MAX;
	__atomic_store_n(&machine->mailbox->bell, next, __ATOMIC_SEQ_CST);
}

static void bell_send(struct machine *machine)
{
	uint8_t bell = (uint8_t)machine->mailbox->bell;
	if (send(machine->doorbell_fd, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) /* full: it has rung already */
		__atomic_store_n(&machine->mailbox->bell, (bell - 1U) & UINT8_MAX, __ATOMIC_SEQ_CST);
}

void machine_ring(struct machine *machine)
{
	bell_announce(machine);
	bell_send(machine);
}

void machine_command(struct machine *machine, enum hv_command command)
{
	bell_announce(machine);
	__atomic_store_n(&machine->mailbox->command, (uint32_t)command, __ATOMIC_SEQ_CST);
	bell_send(machine);
}

void machine_wake(struct machine *machine)
{
	__atomic_store_n(&machine->mailbox->waits, 0, __ATOMIC_SEQ_CST);
	machine_ring(machine);
}

void machine_ring_if_waiting(struct machine *machine)
{
	if (__atomic_load_n(&machine->mailbox->waits, __ATOMIC_SEQ_CST) == 0)
		return;
	bell_announce(machine);
	__atomic_store_n(&machine->mailbox->waits, 0, __ATOMIC_SEQ_CST);
	bell_send(machine);
}

bool machine_asks(const struct machine *machine)
{
	return __atomic_load_n(&machine->mailbox->ask.kind, __ATOMIC_ACQUIRE) != HV_ASK_NONE;
}

void machine_answer(struct machine *machine)
{
	struct hv_mailbox *mailbox = machine->mailbox;
	int64_t until = now_ns() + LOOK_NS;
	__atomic_store_n(&mailbox->looks, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&mailbox->ask.kind, (uint32_t)HV_ASK_NONE, __ATOMIC_SEQ_CST);
	machine_ring_if_waiting(machine);
	while (!machine_asks(machine) && machine_state(machine) == HV_STATE_RUNNING && now_ns() < until)
		sched_yield();
	__atomic_store_n(&mailbox->looks, 0, __ATOMIC_SEQ_CST); /* what was asked meanwhile is seen before sleeping */
}

void machine_output_take(struct machine *machine, uint8_t *to, uint32_t count)
{
	uint64_t ring_bytes = machine->boot->output_ring_bytes, tail = machine->mailbox->output_tail;
	uint64_t to_end = ring_bytes - tail % ring_bytes, part = count < to_end ? count : to_end;
	CHECK(count <= ring_bytes && count <= machine_index_load(&machine->mailbox->output_head) - tail);
	memcpy(to, machine->output + tail % ring_bytes, part);
	memcpy(to + part, machine->output, count - part);
	machine_index_store(&machine->mailbox->output_tail, tail + count);
}

static void packet_bytes_put(struct machine *machine, uint64_t at, const void *bytes, uint64_t count)
{
	uint64_t ring_bytes = machine->boot->packet_ring_bytes;
	uint64_t to_end = ring_bytes - at % ring_bytes, part = count < to_end ? count : to_end;
	memcpy(machine->packets + at % ring_bytes, bytes, part);
	memcpy(machine->packets, (const uint8_t *)bytes + part, count - part);
}

bool machine_packet_put(struct machine *machine, const uint8_t *bytes, uint32_t count)
{
	struct hv_mailbox *mailbox = machine->mailbox;
	uint64_t head = mailbox->packet_head, used = head - machine_index_load(&mailbox->packet_tail);
	uint64_t whole = (sizeof(count) + count + HV_PACKET_ALIGN - 1) & ~(uint64_t)(HV_PACKET_ALIGN - 1);
	CHECK(count <= HV_PACKET_BYTES_MAX && used <= machine->boot->packet_ring_bytes);
	if (whole > machine->boot->packet_ring_bytes - used)
		return false;
	packet_bytes_put(machine, head, &count, sizeof(count));
	packet_bytes_put(machine, head + sizeof(count), bytes, count);
	__atomic_store_n(&mailbox->packet_head, head + whole, __ATOMIC_SEQ_CST);
	return true;
}

bool machine_doorbell_take(struct machine *machine)
{
	char bytes[256];
	ssize_t got;
	do
		got = recv(machine->doorbell_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (got > 0);
	return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

bool machine_ram_written(const struct machine *machine, uint64_t *start, uint64_t *end)
{
	off_t base = machine->guest_ram - machine->ram;
	off_t limit = base + (off_t)machine->guest_ram_bytes;
	off_t data = lseek(machine->ram_fd, base + (off_t)*start, SEEK_DATA);
	if (*start >= machine->guest_ram_bytes || data < 0 || data >= limit)
		return false;
	off_t hole = lseek(machine->ram_fd, data, SEEK_HOLE);
	*start = (uint64_t)(data - base);
	*end = (uint64_t)((hole < 0 || hole > limit ? limit : hole) - base);
	return true;
}

bool machine_stuck(const struct machine *machine, struct machine_watch *watch)
{
	int64_t now = now_ns();
	uint64_t n = machine_index_load(&machine->mailbox->now_n);
	uint64_t tail = machine_index_load(&machine->mailbox->event_tail);
	if (watch->moved_ns == 0 || n != watch->n || tail != watch->tail) {
		watch->n = n;
		watch->tail = tail;
		watch->moved_ns = now;
	}
	if (now - watch->moved_ns < STUCK_NS || machine_is_debugged())
		return false;
	/* Nothing passed for long: a guest that computes uses CPU time. */
	uint64_t ticks = machine_process_cpu_ticks(machine);
	bool moved = ticks != watch->cpu_ticks;
	watch->cpu_ticks = ticks;
	watch->moved_ns = moved ? now : watch->moved_ns;
	return !moved;
}

bool machine_is_deaf(int64_t asked_ns, int64_t now_ns)
{
	return asked_ns != 0 && now_ns - asked_ns > DEAF_NS;
}

bool machine_is_debugged(void)
{
	return getenv("HVREC_PATIENT") != NULL;
}

uint32_t machine_state(const struct machine *machine)
{
	return __atomic_load_n(&machine->mailbox->state, __ATOMIC_ACQUIRE);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void machine_destroy(struct machine *machine)
{
	if (!machine)
		return;
	machine_process_end(machine);
	if (machine->ram)
		munmap(machine->ram, machine->ram_bytes);
	close_fd(machine->ram_fd);
	close_fd(machine->doorbell_fd);
	close_fd(machine->log_fd);
	free(machine->boot);
	free(machine);
}
