/* Writes the guest's device tree with libfdt. Called by layout_load.
 *
 * libfdt puts each new node and property before its siblings, so nodes are made in QEMU's order to end up in QEMU's
 * order: Linux probes in the order of the tree, and a recording should print what QEMU's own board prints. The first
 * failure sticks in the tree; one that ran out of room is made again in twice the room. */
#include "recorder/load/dtb.h"
#include "recorder/load/dtb_tree.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PHANDLE_CLOCK = 0x8000, PHANDLE_CPU = 0x8001 };
enum { CELL_PPI = 1, CELL_SPI = 0, CELL_EDGE_RISING = 1, CELL_LEVEL_HIGH = 4 };
enum { NODE_NAME_BYTES = 32 };

static const size_t room_bytes_first = 4096;
static const uint32_t apb_clock_hz = 24000000;

static void clock_add(struct dtb_tree *tree)
{
	int node = dtb_tree_add(tree, 0, "apb-pclk");
	dtb_tree_put_text(tree, node, "compatible", "fixed-clock");
	dtb_tree_put_cell(tree, node, "#clock-cells", 0);
	dtb_tree_put_cell(tree, node, "clock-frequency", apb_clock_hz);
	dtb_tree_put_text(tree, node, "clock-output-names", "clk24mhz");
	dtb_tree_put_cell(tree, node, "phandle", PHANDLE_CLOCK);
}

static void timer_add(struct dtb_tree *tree)
{
	static const char compatible[] = "arm,armv8-timer\0arm,armv7-timer";
	/* secure, non-secure physical, virtual, hypervisor: the binding counts PPIs from 0 */
	static const uint32_t interrupts[] = {
		CELL_PPI,
		13,
		CELL_LEVEL_HIGH,
		CELL_PPI,
		GUEST_INTID_PTIMER - 16,
		CELL_LEVEL_HIGH,
		CELL_PPI,
		GUEST_INTID_VTIMER - 16,
		CELL_LEVEL_HIGH,
		CELL_PPI,
		10,
		CELL_LEVEL_HIGH,
	};
	int node = dtb_tree_add(tree, 0, "timer");
	dtb_tree_put(tree, node, "compatible", compatible, sizeof(compatible));
	dtb_tree_put_flag(tree, node, "always-on");
	dtb_tree_put_cells(tree, node, "interrupts", sizeof(interrupts) / sizeof(interrupts[0]), interrupts);
}

static void cpu_map_add(struct dtb_tree *tree, int cpus, uint32_t vcpu_count)
{
	int map = dtb_tree_add(tree, cpus, "cpu-map");
	int socket = dtb_tree_add(tree, map, "socket0");
	int cluster = dtb_tree_add(tree, socket, "cluster0");
	for (uint32_t i = vcpu_count; i-- > 0;) {
		char name[NODE_NAME_BYTES];
		snprintf(name, sizeof(name), "core%" PRIu32, i);
		dtb_tree_put_cell(tree, dtb_tree_add(tree, cluster, name), "cpu", PHANDLE_CPU + i);
	}
}

static void cpus_add(struct dtb_tree *tree, uint32_t vcpu_count)
{
	int cpus = dtb_tree_add(tree, 0, "cpus");
	dtb_tree_put_cell(tree, cpus, "#address-cells", 1);
	dtb_tree_put_cell(tree, cpus, "#size-cells", 0);
	for (uint32_t i = vcpu_count; i-- > 0;) {
		char name[NODE_NAME_BYTES];
		snprintf(name, sizeof(name), "cpu@%" PRIx32, i);
		int node = dtb_tree_add(tree, cpus, name);
		dtb_tree_put_text(tree, node, "device_type", "cpu");
		dtb_tree_put_text(tree, node, "compatible", "arm,neoverse-n1");
		if (vcpu_count > 1)
			dtb_tree_put_text(tree, node, "enable-method", "psci");
		dtb_tree_put_cell(tree, node, "reg", i); /* MPIDR_EL1.Aff0 */
		dtb_tree_put_cell(tree, node, "phandle", PHANDLE_CPU + i);
	}
	cpu_map_add(tree, cpus, vcpu_count);
}

static void gic_add(struct dtb_tree *tree, uint32_t vcpu_count)
{
	uint32_t phandle = PHANDLE_CPU + vcpu_count;
	dtb_tree_put_cell(tree, 0, "interrupt-parent", phandle);
	int node = dtb_tree_add(tree, 0, "intc@8000000");
	dtb_tree_put_cell(tree, node, "#interrupt-cells", 3);
	dtb_tree_put_flag(tree, node, "interrupt-controller");
	dtb_tree_put_cell(tree, node, "#address-cells", DTB_TREE_CELLS_MAX);
	dtb_tree_put_cell(tree, node, "#size-cells", DTB_TREE_CELLS_MAX);
	dtb_tree_put_flag(tree, node, "ranges");
	dtb_tree_put_text(tree, node, "compatible", "arm,gic-v3");
	dtb_tree_put_cell(tree, node, "#redistributor-regions", 1);
	dtb_tree_put_range(tree, node, "reg", GUEST_GICD_IPA, GUEST_GICD_BYTES);
	dtb_tree_put_range(tree, node, "reg", GUEST_GICR_IPA, GUEST_GICR_BYTES_PER_VCPU * vcpu_count);
	dtb_tree_put_cell(tree, node, "phandle", phandle);
}

static void interrupt_put(struct dtb_tree *tree, int node, uint32_t intid)
{
	const uint32_t cell[] = {CELL_SPI, intid - 32, CELL_LEVEL_HIGH};
	dtb_tree_put_cells(tree, node, "interrupts", 3, cell);
}

static void uart_add(struct dtb_tree *tree)
{
	static const char compatible[] = "arm,pl011\0arm,primecell";
	static const char clock_names[] = "uartclk\0apb_pclk";
	static const uint32_t clocks[] = {PHANDLE_CLOCK, PHANDLE_CLOCK};
	int node = dtb_tree_add(tree, 0, "pl011@9000000");
	dtb_tree_put(tree, node, "compatible", compatible, sizeof(compatible));
	dtb_tree_put_range(tree, node, "reg", GUEST_UART_IPA, GUEST_UART_BYTES);
	interrupt_put(tree, node, GUEST_INTID_UART);
	dtb_tree_put_cells(tree, node, "clocks", 2, clocks);
	dtb_tree_put(tree, node, "clock-names", clock_names, sizeof(clock_names));
}

static void rtc_add(struct dtb_tree *tree)
{
	static const char compatible[] = "arm,pl031\0arm,primecell";
	int node = dtb_tree_add(tree, 0, "pl031@9010000");
	dtb_tree_put(tree, node, "compatible", compatible, sizeof(compatible));
	dtb_tree_put_range(tree, node, "reg", GUEST_RTC_IPA, GUEST_RTC_BYTES);
	interrupt_put(tree, node, GUEST_INTID_RTC);
	dtb_tree_put_cell(tree, node, "clocks", PHANDLE_CLOCK);
	dtb_tree_put_text(tree, node, "clock-names", "apb_pclk");
}

/* Where there is a device, unless the tree has the transport already. A later node goes before the earlier ones, and
 * guests number disks in the order of nodes. */
static void virtio_add(struct dtb_tree *tree, uint32_t transports, int address_cells, int size_cells)
{
	for (uint32_t i = GUEST_VIRTIO_COUNT; i-- > 0;) {
		const uint32_t interrupt[] = {CELL_SPI, GUEST_INTID_VIRTIO - 32 + i, CELL_EDGE_RISING};
		uint64_t ipa = GUEST_VIRTIO_IPA + i * GUEST_VIRTIO_BYTES;
		char name[NODE_NAME_BYTES];
		snprintf(name, sizeof(name), "virtio_mmio@%" PRIx64, ipa);
		if (!(transports >> i & 1) || dtb_tree_find(tree, name) >= 0)
			continue;
		int node = dtb_tree_add(tree, 0, name);
		dtb_tree_put_text(tree, node, "compatible", "virtio,mmio");
		dtb_tree_append(tree, node, "reg", address_cells, ipa);
		dtb_tree_append(tree, node, "reg", size_cells, GUEST_VIRTIO_BYTES);
		dtb_tree_put_cells(tree, node, "interrupts", 3, interrupt);
		dtb_tree_put_flag(tree, node, "dma-coherent");
	}
}

static void psci_add(struct dtb_tree *tree)
{
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2\0arm,psci";
	int node = dtb_tree_add(tree, 0, "psci");
	dtb_tree_put(tree, node, "compatible", compatible, sizeof(compatible));
	dtb_tree_put_text(tree, node, "method", "hvc");
	/* for readers of the PSCI 0.1 binding; later ones know the numbers */
	dtb_tree_put_cell(tree, node, "cpu_suspend", 0xc4000001);
	dtb_tree_put_cell(tree, node, "cpu_off", 0x84000002);
	dtb_tree_put_cell(tree, node, "cpu_on", 0xc4000003);
	dtb_tree_put_cell(tree, node, "migrate", 0xc4000005);
}

static void memory_add(struct dtb_tree *tree, uint64_t ram_bytes, int address_cells, int size_cells)
{
	int node = dtb_tree_add(tree, 0, "memory@40000000");
	dtb_tree_append(tree, node, "reg", address_cells, GUEST_RAM_IPA);
	dtb_tree_append(tree, node, "reg", size_cells, ram_bytes);
	dtb_tree_put_text(tree, node, "device_type", "memory");
}

/* Also what a user's tree lacks: QEMU sets seeds of its own there, and we keep the user's. */
static void seeds_add(struct dtb_tree *tree, int chosen, const uint8_t seed[LAYOUT_SEED_BYTES])
{
	if (tree->status < 0)
		return;
	if (fdt_getprop(tree->fdt, chosen, "kaslr-seed", NULL) == NULL)
		dtb_tree_put(tree, chosen, "kaslr-seed", seed, LAYOUT_KASLR_SEED_BYTES);
	if (tree->status >= 0 && fdt_getprop(tree->fdt, chosen, "rng-seed", NULL) == NULL)
		dtb_tree_put(tree, chosen, "rng-seed", seed + LAYOUT_KASLR_SEED_BYTES, LAYOUT_RNG_SEED_BYTES);
}

static void boot_put(struct dtb_tree *tree, int chosen, const struct guest_config *config,
		     const struct guest_layout *layout, int address_cells)
{
	if (config->bootargs != NULL && config->bootargs[0] != '\0')
		dtb_tree_put_text(tree, chosen, "bootargs", config->bootargs);
	/* A tree dumped from a running machine has that machine's initrd in it. */
	dtb_tree_remove(tree, chosen, "linux,initrd-start");
	dtb_tree_remove(tree, chosen, "linux,initrd-end");
	if (layout->initrd_bytes == 0)
		return;
	dtb_tree_append(tree, chosen, "linux,initrd-start", address_cells, layout->initrd_ipa);
	dtb_tree_append(tree, chosen, "linux,initrd-end", address_cells, layout->initrd_ipa + layout->initrd_bytes);
}

static void build(struct dtb_tree *tree, const struct guest_config *config, const struct guest_layout *layout)
{
	dtb_tree_put_text(tree, 0, "compatible", "linux,dummy-virt");
	dtb_tree_put_cell(tree, 0, "#address-cells", DTB_TREE_CELLS_MAX);
	dtb_tree_put_cell(tree, 0, "#size-cells", DTB_TREE_CELLS_MAX);
	dtb_tree_put_text(tree, 0, "model", "linux,dummy-virt");
	int chosen = dtb_tree_add(tree, 0, "chosen");
	seeds_add(tree, chosen, config->seed);
	dtb_tree_put_text(tree, chosen, "stdout-path", "/pl011@9000000");
	boot_put(tree, chosen, config, layout, DTB_TREE_CELLS_MAX);
	clock_add(tree);
	timer_add(tree);
	cpus_add(tree, config->vcpu_count);
	gic_add(tree, config->vcpu_count);
	uart_add(tree);
	rtc_add(tree);
	virtio_add(tree, config->virtio, DTB_TREE_CELLS_MAX, DTB_TREE_CELLS_MAX);
	memory_add(tree, config->ram_bytes, DTB_TREE_CELLS_MAX, DTB_TREE_CELLS_MAX);
	psci_add(tree);
}

static void memory_remove(struct dtb_tree *tree)
{
	int node = fdt_first_subnode(tree->fdt, 0);
	while (tree->status >= 0 && node >= 0) {
		const char *name = fdt_get_name(tree->fdt, node, NULL);
		if (name != NULL && (strcmp(name, "memory") == 0 || strncmp(name, "memory@", strlen("memory@")) == 0)) {
			tree->status = fdt_del_node(tree->fdt, node);
			node = fdt_first_subnode(tree->fdt, 0);
		} else {
			node = fdt_next_subnode(tree->fdt, node);
		}
	}
}

static void patch(struct dtb_tree *tree, const struct guest_config *config, const struct guest_layout *layout)
{
	int address_cells = fdt_address_cells(tree->fdt, 0);
	int size_cells = fdt_size_cells(tree->fdt, 0);
	if (address_cells < 1 || address_cells > DTB_TREE_CELLS_MAX || size_cells < 1 ||
	    size_cells > DTB_TREE_CELLS_MAX) {
		tree->status = -FDT_ERR_BADNCELLS;
		return;
	}
	memory_remove(tree);
	memory_add(tree, config->ram_bytes, address_cells, size_cells);
	int chosen = dtb_tree_find(tree, "chosen");
	if (chosen < 0)
		chosen = dtb_tree_add(tree, 0, "chosen");
	seeds_add(tree, chosen, config->seed);
	boot_put(tree, chosen, config, layout, address_cells);
	if (dtb_tree_find(tree, "psci") < 0)
		psci_add(tree);
	virtio_add(tree, config->virtio, address_cells, size_cells);
}

/* Makes the tree in `room_bytes` of memory; tree->fdt is the caller's to free. */
static void attempt(struct dtb_tree *tree, size_t room_bytes, const void *user, const struct guest_config *config,
		    const struct guest_layout *layout)
{
	tree->fdt = calloc(1, room_bytes);
	if (tree->fdt == NULL)
		tree->status = -FDT_ERR_INTERNAL;
	else if (user != NULL)
		tree->status = fdt_open_into(user, tree->fdt, (int)room_bytes);
	else
		tree->status = fdt_create_empty_tree(tree->fdt, (int)room_bytes);
	if (tree->status >= 0 && user != NULL)
		patch(tree, config, layout);
	else if (tree->status >= 0)
		build(tree, config, layout);
	if (tree->status >= 0)
		tree->status = fdt_pack(tree->fdt);
}

static const char *name_of(const struct guest_config *config)
{
	return config->dtb != NULL ? config->dtb_name : config->name;
}

static bool too_large(const struct guest_config *config, struct error *error)
{
	return error_set(
		error, STATUS_FAILED,
		"%s: the device tree with the boot arguments is above the 2 MiB that the boot protocol allows: "
		"shorten them",
		name_of(config));
}

static bool status_error(const struct guest_config *config, int status, struct error *error)
{
	if (status == -FDT_ERR_BADNCELLS)
		return error_set(
			error, STATUS_FAILED,
			"%s: the device tree's #address-cells and #size-cells cannot hold the guest's addresses: "
			"make both 2",
			name_of(config));
	return error_set(error, STATUS_FAILED, "%s: cannot make the device tree (%s): check it with dtc",
			 name_of(config), fdt_strerror(status));
}

static bool make(const struct guest_config *config, const void *user, struct guest_layout *layout, struct error *error)
{
	struct dtb_tree tree = {.status = -FDT_ERR_NOSPACE};
	/* Twice the limit: a tree may need more room while it is made than when it is packed. */
	for (size_t room = room_bytes_first; room <= 2 * LAYOUT_DTB_BYTES_MAX && tree.status == -FDT_ERR_NOSPACE;
	     room *= 2) {
		free(tree.fdt);
		attempt(&tree, room, user, config, layout);
	}
	bool fits = tree.status >= 0 && fdt_totalsize(tree.fdt) <= LAYOUT_DTB_BYTES_MAX;
	if (!fits) {
		free(tree.fdt);
		if (tree.status >= 0 || tree.status == -FDT_ERR_NOSPACE)
			return too_large(config, error);
		return status_error(config, tree.status, error);
	}
	layout->dtb = tree.fdt;
	layout->dtb_bytes = fdt_totalsize(tree.fdt);
	return true;
}

static bool user_check(const struct guest_config *config, const void *user, struct error *error)
{
	int status = fdt_check_full(user, config->dtb_bytes);
	if (status < 0)
		return error_set(error, STATUS_FAILED,
				 "%s: not a valid device tree (%s): make it with dtc -I dts -O dtb", config->dtb_name,
				 fdt_strerror(status));
	return true;
}

bool dtb_make(const struct guest_config *config, struct guest_layout *layout, struct error *error)
{
	if (config->bootargs != NULL && strlen(config->bootargs) >= LAYOUT_DTB_BYTES_MAX)
		return too_large(config, error);
	if (config->dtb == NULL)
		return make(config, NULL, layout, error);
	if (config->dtb_bytes == 0 || config->dtb_bytes > LAYOUT_DTB_BYTES_MAX)
		return error_set(error, STATUS_FAILED,
				 "%s: %zu bytes are no device tree, the boot protocol allows 2 MiB: make it with dtc",
				 config->dtb_name, config->dtb_bytes);
	/* libfdt wants it aligned to 8 bytes, which a caller's file buffer may not be. */
	void *user = malloc(config->dtb_bytes);
	if (user == NULL)
		return error_set(error, STATUS_FAILED, "%s: no memory for it: free some", config->dtb_name);
	memcpy(user, config->dtb, config->dtb_bytes);
	bool ok = user_check(config, user, error) && make(config, user, layout, error);
	free(user);
	return ok;
}
