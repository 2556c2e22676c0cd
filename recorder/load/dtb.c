/* Writes the guest's device tree with libfdt. Called by layout_load.
 *
 * libfdt puts each new node and property before its siblings, so nodes are made in QEMU's order to end up in QEMU's
 * order: Linux probes in the order of the tree, and a recording should print what QEMU's own board prints. The first
 * failure sticks in struct tree; a tree that ran out of room is made again in twice the room. */
#include "recorder/load/dtb.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PHANDLE_CLOCK = 0x8000, PHANDLE_CPU = 0x8001 };
enum { CELL_PPI = 1, CELL_SPI = 0, CELL_LEVEL_HIGH = 4 };
enum { NODE_NAME_BYTES = 32, CELLS_MAX = 2 };

static const size_t room_bytes_first = 4096;
static const uint32_t apb_clock_hz = 24000000;

struct tree {
	void *fdt;
	int status; /* of libfdt: negative once anything has failed */
};

static int node_add(struct tree *tree, int parent, const char *name)
{
	if (tree->status < 0)
		return 0;
	int node = fdt_add_subnode(tree->fdt, parent, name);
	tree->status = node < 0 ? node : 0;
	return node;
}

static void put(struct tree *tree, int node, const char *name, const void *value, size_t bytes)
{
	if (tree->status >= 0)
		tree->status = fdt_setprop(tree->fdt, node, name, value, (int)bytes);
}

static void put_flag(struct tree *tree, int node, const char *name)
{
	put(tree, node, name, NULL, 0);
}

static void put_text(struct tree *tree, int node, const char *name, const char *text)
{
	put(tree, node, name, text, strlen(text) + 1);
}

static void put_cells(struct tree *tree, int node, const char *name, size_t count, const uint32_t *cell)
{
	put_flag(tree, node, name);
	for (size_t i = 0; i < count && tree->status >= 0; i++)
		tree->status = fdt_appendprop_u32(tree->fdt, node, name, cell[i]);
}

static void put_cell(struct tree *tree, int node, const char *name, uint32_t cell)
{
	put_cells(tree, node, name, 1, &cell);
}

/* Appends a number of `cells` 32-bit cells; one that does not fit is a bad value. */
static void append_number(struct tree *tree, int node, const char *name, int cells, uint64_t number)
{
	if (tree->status >= 0 && cells == 1 && number > UINT32_MAX)
		tree->status = -FDT_ERR_BADNCELLS;
	if (tree->status >= 0)
		tree->status = cells == 1 ? fdt_appendprop_u32(tree->fdt, node, name, (uint32_t)number)
					  : fdt_appendprop_u64(tree->fdt, node, name, number);
}

static void put_range(struct tree *tree, int node, const char *name, uint64_t ipa, uint64_t bytes)
{
	append_number(tree, node, name, CELLS_MAX, ipa);
	append_number(tree, node, name, CELLS_MAX, bytes);
}

static void clock_add(struct tree *tree)
{
	int node = node_add(tree, 0, "apb-pclk");
	put_text(tree, node, "compatible", "fixed-clock");
	put_cell(tree, node, "#clock-cells", 0);
	put_cell(tree, node, "clock-frequency", apb_clock_hz);
	put_text(tree, node, "clock-output-names", "clk24mhz");
	put_cell(tree, node, "phandle", PHANDLE_CLOCK);
}

static void timer_add(struct tree *tree)
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
	int node = node_add(tree, 0, "timer");
	put(tree, node, "compatible", compatible, sizeof(compatible));
	put_flag(tree, node, "always-on");
	put_cells(tree, node, "interrupts", sizeof(interrupts) / sizeof(interrupts[0]), interrupts);
}

static void cpu_map_add(struct tree *tree, int cpus, uint32_t vcpu_count)
{
	int map = node_add(tree, cpus, "cpu-map");
	int socket = node_add(tree, map, "socket0");
	int cluster = node_add(tree, socket, "cluster0");
	for (uint32_t i = vcpu_count; i-- > 0;) {
		char name[NODE_NAME_BYTES];
		snprintf(name, sizeof(name), "core%" PRIu32, i);
		put_cell(tree, node_add(tree, cluster, name), "cpu", PHANDLE_CPU + i);
	}
}

static void cpus_add(struct tree *tree, uint32_t vcpu_count)
{
	int cpus = node_add(tree, 0, "cpus");
	put_cell(tree, cpus, "#address-cells", 1);
	put_cell(tree, cpus, "#size-cells", 0);
	for (uint32_t i = vcpu_count; i-- > 0;) {
		char name[NODE_NAME_BYTES];
		snprintf(name, sizeof(name), "cpu@%" PRIx32, i);
		int node = node_add(tree, cpus, name);
		put_text(tree, node, "device_type", "cpu");
		put_text(tree, node, "compatible", "arm,neoverse-n1");
		if (vcpu_count > 1)
			put_text(tree, node, "enable-method", "psci");
		put_cell(tree, node, "reg", i); /* MPIDR_EL1.Aff0 */
		put_cell(tree, node, "phandle", PHANDLE_CPU + i);
	}
	cpu_map_add(tree, cpus, vcpu_count);
}

static void gic_add(struct tree *tree, uint32_t vcpu_count)
{
	uint32_t phandle = PHANDLE_CPU + vcpu_count;
	put_cell(tree, 0, "interrupt-parent", phandle);
	int node = node_add(tree, 0, "intc@8000000");
	put_cell(tree, node, "#interrupt-cells", 3);
	put_flag(tree, node, "interrupt-controller");
	put_cell(tree, node, "#address-cells", CELLS_MAX);
	put_cell(tree, node, "#size-cells", CELLS_MAX);
	put_flag(tree, node, "ranges");
	put_text(tree, node, "compatible", "arm,gic-v3");
	put_cell(tree, node, "#redistributor-regions", 1);
	put_range(tree, node, "reg", GUEST_GICD_IPA, GUEST_GICD_BYTES);
	put_range(tree, node, "reg", GUEST_GICR_IPA, GUEST_GICR_BYTES_PER_VCPU * vcpu_count);
	put_cell(tree, node, "phandle", phandle);
}

static void interrupt_put(struct tree *tree, int node, uint32_t intid)
{
	const uint32_t cell[] = {CELL_SPI, intid - 32, CELL_LEVEL_HIGH};
	put_cells(tree, node, "interrupts", 3, cell);
}

static void uart_add(struct tree *tree)
{
	static const char compatible[] = "arm,pl011\0arm,primecell";
	static const char clock_names[] = "uartclk\0apb_pclk";
	static const uint32_t clocks[] = {PHANDLE_CLOCK, PHANDLE_CLOCK};
	int node = node_add(tree, 0, "pl011@9000000");
	put(tree, node, "compatible", compatible, sizeof(compatible));
	put_range(tree, node, "reg", GUEST_UART_IPA, GUEST_UART_BYTES);
	interrupt_put(tree, node, GUEST_INTID_UART);
	put_cells(tree, node, "clocks", 2, clocks);
	put(tree, node, "clock-names", clock_names, sizeof(clock_names));
}

static void rtc_add(struct tree *tree)
{
	static const char compatible[] = "arm,pl031\0arm,primecell";
	int node = node_add(tree, 0, "pl031@9010000");
	put(tree, node, "compatible", compatible, sizeof(compatible));
	put_range(tree, node, "reg", GUEST_RTC_IPA, GUEST_RTC_BYTES);
	interrupt_put(tree, node, GUEST_INTID_RTC);
	put_cell(tree, node, "clocks", PHANDLE_CLOCK);
	put_text(tree, node, "clock-names", "apb_pclk");
}

static void psci_add(struct tree *tree)
{
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2\0arm,psci";
	int node = node_add(tree, 0, "psci");
	put(tree, node, "compatible", compatible, sizeof(compatible));
	put_text(tree, node, "method", "hvc");
	/* for readers of the PSCI 0.1 binding; later ones know the numbers */
	put_cell(tree, node, "cpu_suspend", 0xc4000001);
	put_cell(tree, node, "cpu_off", 0x84000002);
	put_cell(tree, node, "cpu_on", 0xc4000003);
	put_cell(tree, node, "migrate", 0xc4000005);
}

static void memory_add(struct tree *tree, uint64_t ram_bytes, int address_cells, int size_cells)
{
	int node = node_add(tree, 0, "memory@40000000");
	append_number(tree, node, "reg", address_cells, GUEST_RAM_IPA);
	append_number(tree, node, "reg", size_cells, ram_bytes);
	put_text(tree, node, "device_type", "memory");
}

/* Also what a user's tree lacks: QEMU sets seeds of its own there, and we keep the user's. */
static void seeds_add(struct tree *tree, int chosen, const uint8_t seed[LAYOUT_SEED_BYTES])
{
	if (tree->status < 0)
		return;
	if (fdt_getprop(tree->fdt, chosen, "kaslr-seed", NULL) == NULL)
		put(tree, chosen, "kaslr-seed", seed, LAYOUT_KASLR_SEED_BYTES);
	if (tree->status >= 0 && fdt_getprop(tree->fdt, chosen, "rng-seed", NULL) == NULL)
		put(tree, chosen, "rng-seed", seed + LAYOUT_KASLR_SEED_BYTES, LAYOUT_RNG_SEED_BYTES);
}

static void remove_property(struct tree *tree, int node, const char *name)
{
	if (tree->status < 0)
		return;
	int status = fdt_delprop(tree->fdt, node, name);
	if (status != -FDT_ERR_NOTFOUND)
		tree->status = status;
}

static void boot_put(struct tree *tree, int chosen, const struct guest_config *config,
		     const struct guest_layout *layout, int address_cells)
{
	if (config->bootargs != NULL && config->bootargs[0] != '\0')
		put_text(tree, chosen, "bootargs", config->bootargs);
	/* A tree dumped from a running machine has that machine's initrd in it. */
	remove_property(tree, chosen, "linux,initrd-start");
	remove_property(tree, chosen, "linux,initrd-end");
	if (layout->initrd_bytes == 0)
		return;
	append_number(tree, chosen, "linux,initrd-start", address_cells, layout->initrd_ipa);
	append_number(tree, chosen, "linux,initrd-end", address_cells, layout->initrd_ipa + layout->initrd_bytes);
}

static void build(struct tree *tree, const struct guest_config *config, const struct guest_layout *layout)
{
	put_text(tree, 0, "compatible", "linux,dummy-virt");
	put_cell(tree, 0, "#address-cells", CELLS_MAX);
	put_cell(tree, 0, "#size-cells", CELLS_MAX);
	put_text(tree, 0, "model", "linux,dummy-virt");
	int chosen = node_add(tree, 0, "chosen");
	seeds_add(tree, chosen, config->seed);
	put_text(tree, chosen, "stdout-path", "/pl011@9000000");
	boot_put(tree, chosen, config, layout, CELLS_MAX);
	clock_add(tree);
	timer_add(tree);
	cpus_add(tree, config->vcpu_count);
	gic_add(tree, config->vcpu_count);
	uart_add(tree);
	rtc_add(tree);
	memory_add(tree, config->ram_bytes, CELLS_MAX, CELLS_MAX);
	psci_add(tree);
}

static void memory_remove(struct tree *tree)
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

/* The named child of the root, or -FDT_ERR_NOTFOUND; other failures stick. */
static int node_find(struct tree *tree, const char *name)
{
	if (tree->status < 0)
		return -FDT_ERR_NOTFOUND;
	int node = fdt_subnode_offset(tree->fdt, 0, name);
	if (node < 0 && node != -FDT_ERR_NOTFOUND)
		tree->status = node;
	return node;
}

static void patch(struct tree *tree, const struct guest_config *config, const struct guest_layout *layout)
{
	int address_cells = fdt_address_cells(tree->fdt, 0);
	int size_cells = fdt_size_cells(tree->fdt, 0);
	if (address_cells < 1 || address_cells > CELLS_MAX || size_cells < 1 || size_cells > CELLS_MAX) {
		tree->status = -FDT_ERR_BADNCELLS;
		return;
	}
	memory_remove(tree);
	memory_add(tree, config->ram_bytes, address_cells, size_cells);
	int chosen = node_find(tree, "chosen");
	if (chosen < 0)
		chosen = node_add(tree, 0, "chosen");
	seeds_add(tree, chosen, config->seed);
	boot_put(tree, chosen, config, layout, address_cells);
	if (node_find(tree, "psci") < 0)
		psci_add(tree);
}

/* Makes the tree in `room_bytes` of memory; tree->fdt is the caller's to free. */
static void attempt(struct tree *tree, size_t room_bytes, const void *user, const struct guest_config *config,
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
	struct tree tree = {.status = -FDT_ERR_NOSPACE};
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
