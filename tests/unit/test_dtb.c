/* The guest's device tree, read back with libfdt: what QEMU's virt board says, what a user's tree is given, and what is
 * wrong with a wrong one. */
#include "recorder/load/dtb.h"

#include <criterion/criterion.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB          (UINT64_C(1) << 20)
#define GIB          (UINT64_C(1) << 30)
#define NAME         "some/kernel"
#define DTB_NAME     "some/tree.dtb"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { TREE_BYTES = 4096, FUZZ_COUNT = 20000 };

static struct guest_config config_new(void)
{
	struct guest_config config = {.name = NAME, .dtb_name = DTB_NAME, .ram_bytes = 512 * MIB, .vcpu_count = 1};
	for (size_t i = 0; i < sizeof(config.seed); i++)
		config.seed[i] = (uint8_t)(i + 1);
	return config;
}

/* Makes the tree and checks that it is whole; the caller frees it. */
static void *tree_make(const struct guest_config *config, uint64_t initrd_ipa, uint64_t initrd_bytes)
{
	struct guest_layout layout = {.initrd_ipa = initrd_ipa, .initrd_bytes = initrd_bytes};
	struct error error = {0};
	cr_assert(dtb_make(config, &layout, &error), "%s", error.text);
	cr_assert_eq(fdt_check_full(layout.dtb, layout.dtb_bytes), 0);
	cr_assert_eq(fdt_totalsize(layout.dtb), layout.dtb_bytes);
	return layout.dtb;
}

static void refused(const struct guest_config *config, const char *name, const char *part)
{
	struct guest_layout layout = {0};
	struct error error = {0};
	cr_expect_not(dtb_make(config, &layout, &error), "accepted with: %s", part);
	cr_expect_null(layout.dtb);
	cr_expect_eq(error.status, STATUS_FAILED);
	cr_expect_not_null(strstr(error.text, name), "%s: not named in: %s", part, error.text);
	cr_expect_not_null(strstr(error.text, part), "%s: not in: %s", part, error.text);
	cr_expect_null(strchr(error.text, '\n'), "more than one line: %s", error.text);
}

static const void *property(const void *fdt, const char *path, const char *name, size_t *bytes)
{
	int length = -1;
	int node = fdt_path_offset(fdt, path);
	const void *value = node < 0 ? NULL : fdt_getprop(fdt, node, name, &length);
	*bytes = length < 0 ? SIZE_MAX : (size_t)length;
	return value;
}

static bool is_absent(const void *fdt, const char *path, const char *name)
{
	size_t bytes;
	return property(fdt, path, name, &bytes) == NULL;
}

static void expect_bytes(const void *fdt, const char *path, const char *name, const void *expected,
			 size_t expected_bytes)
{
	size_t bytes;
	const void *value = property(fdt, path, name, &bytes);
	cr_assert_eq(bytes, expected_bytes, "%s/%s has %zd bytes", path, name, (ssize_t)bytes);
	cr_expect(bytes == 0 || memcmp(value, expected, bytes) == 0, "%s/%s differs", path, name);
}

static void expect_text(const void *fdt, const char *path, const char *name, const char *expected)
{
	expect_bytes(fdt, path, name, expected, strlen(expected) + 1);
}

static void expect_cells(const void *fdt, const char *path, const char *name, size_t count, const uint32_t *expected)
{
	uint8_t cells[16 * sizeof(fdt32_t)];
	for (size_t i = 0; i < count; i++)
		fdt32_st(cells + i * sizeof(fdt32_t), expected[i]);
	expect_bytes(fdt, path, name, cells, count * sizeof(fdt32_t));
}

#define EXPECT_CELLS(fdt, path, name, ...)                                                                             \
	expect_cells(fdt, path, name, COUNT(((const uint32_t[]){__VA_ARGS__})), (const uint32_t[]){__VA_ARGS__})
#define EXPECT_LIST(fdt, path, name, text) expect_bytes(fdt, path, name, text, sizeof(text))

Test(dtb, built_tree_is_qemus_board)
{
	struct guest_config config = config_new();
	void *fdt = tree_make(&config, 0, 0);
	expect_text(fdt, "/", "compatible", "linux,dummy-virt");
	expect_text(fdt, "/", "model", "linux,dummy-virt");
	EXPECT_CELLS(fdt, "/", "#address-cells", 2);
	EXPECT_CELLS(fdt, "/", "#size-cells", 2);
	EXPECT_CELLS(fdt, "/", "interrupt-parent", fdt_get_phandle(fdt, fdt_path_offset(fdt, "/intc@8000000")));
	EXPECT_LIST(fdt, "/psci", "compatible", "arm,psci-1.0\0arm,psci-0.2\0arm,psci");
	expect_text(fdt, "/psci", "method", "hvc");
	expect_text(fdt, "/memory@40000000", "device_type", "memory");
	EXPECT_CELLS(fdt, "/memory@40000000", "reg", 0, 0x40000000, 0, 0x20000000);
	EXPECT_LIST(fdt, "/timer", "compatible", "arm,armv8-timer\0arm,armv7-timer");
	EXPECT_CELLS(fdt, "/timer", "interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
	expect_bytes(fdt, "/timer", "always-on", NULL, 0);
	expect_text(fdt, "/apb-pclk", "compatible", "fixed-clock");
	EXPECT_CELLS(fdt, "/apb-pclk", "clock-frequency", 24000000);
	EXPECT_CELLS(fdt, "/apb-pclk", "#clock-cells", 0);
	free(fdt);
}

Test(dtb, built_tree_has_the_devices)
{
	struct guest_config config = config_new();
	void *fdt = tree_make(&config, 0, 0);
	uint32_t clock = fdt_get_phandle(fdt, fdt_path_offset(fdt, "/apb-pclk"));
	expect_text(fdt, "/intc@8000000", "compatible", "arm,gic-v3");
	EXPECT_CELLS(fdt, "/intc@8000000", "reg", 0, 0x08000000, 0, 0x10000, 0, 0x080a0000, 0, 0x20000);
	EXPECT_CELLS(fdt, "/intc@8000000", "#interrupt-cells", 3);
	expect_bytes(fdt, "/intc@8000000", "interrupt-controller", NULL, 0);
	cr_expect_lt(fdt_first_subnode(fdt, fdt_path_offset(fdt, "/intc@8000000")), 0, "there is no ITS");
	EXPECT_LIST(fdt, "/pl011@9000000", "compatible", "arm,pl011\0arm,primecell");
	EXPECT_CELLS(fdt, "/pl011@9000000", "reg", 0, 0x09000000, 0, 0x1000);
	EXPECT_CELLS(fdt, "/pl011@9000000", "interrupts", 0, 1, 4);
	EXPECT_CELLS(fdt, "/pl011@9000000", "clocks", clock, clock);
	EXPECT_LIST(fdt, "/pl011@9000000", "clock-names", "uartclk\0apb_pclk");
	EXPECT_LIST(fdt, "/pl031@9010000", "compatible", "arm,pl031\0arm,primecell");
	EXPECT_CELLS(fdt, "/pl031@9010000", "reg", 0, 0x09010000, 0, 0x1000);
	EXPECT_CELLS(fdt, "/pl031@9010000", "interrupts", 0, 2, 4);
	EXPECT_CELLS(fdt, "/pl031@9010000", "clocks", clock);
	expect_text(fdt, "/pl031@9010000", "clock-names", "apb_pclk");
	cr_expect_lt(fdt_node_offset_by_compatible(fdt, -1, "virtio,mmio"), 0);
	free(fdt);
}

Test(dtb, nodes_are_in_qemus_order)
{
	static const char *const order[] = {"psci", "memory@40000000", "pl031@9010000", "pl011@9000000", "intc@8000000",
					    "cpus", "timer",           "apb-pclk",      "chosen"};
	struct guest_config config = config_new();
	void *fdt = tree_make(&config, 0, 0);
	size_t at = 0;
	int node;
	fdt_for_each_subnode(node, fdt, 0)
	{
		cr_assert_lt(at, COUNT(order));
		cr_expect_str_eq(fdt_get_name(fdt, node, NULL), order[at]);
		at++;
	}
	cr_expect_eq(at, COUNT(order));
	free(fdt);
}

Test(dtb, each_vcpu_has_its_node)
{
	for (uint32_t count = 1; count <= GUEST_VCPU_MAX; count++) {
		struct guest_config config = config_new();
		config.vcpu_count = count;
		void *fdt = tree_make(&config, 0, 0);
		EXPECT_CELLS(fdt, "/cpus", "#address-cells", 1);
		EXPECT_CELLS(fdt, "/cpus", "#size-cells", 0);
		for (uint32_t i = 0; i < count; i++) {
			char path[64], core[64];
			snprintf(path, sizeof(path), "/cpus/cpu@%x", i);
			snprintf(core, sizeof(core), "/cpus/cpu-map/socket0/cluster0/core%u", i);
			expect_text(fdt, path, "compatible", "arm,neoverse-n1");
			expect_text(fdt, path, "device_type", "cpu");
			EXPECT_CELLS(fdt, path, "reg", i);
			EXPECT_CELLS(fdt, core, "cpu", fdt_get_phandle(fdt, fdt_path_offset(fdt, path)));
			if (count > 1)
				expect_text(fdt, path, "enable-method", "psci");
			else
				cr_expect(is_absent(fdt, path, "enable-method"));
		}
		char path[64];
		snprintf(path, sizeof(path), "/cpus/cpu@%x", count);
		cr_expect_lt(fdt_path_offset(fdt, path), 0);
		EXPECT_CELLS(fdt, "/intc@8000000", "reg", 0, 0x08000000, 0, 0x10000, 0, 0x080a0000, 0, 0x20000 * count);
		free(fdt);
	}
}

Test(dtb, phandles_are_unique)
{
	struct guest_config config = config_new();
	config.vcpu_count = GUEST_VCPU_MAX;
	void *fdt = tree_make(&config, 0, 0);
	for (int node = 0; node >= 0; node = fdt_next_node(fdt, node, NULL)) {
		uint32_t phandle = fdt_get_phandle(fdt, node);
		cr_expect(phandle == 0 || fdt_node_offset_by_phandle(fdt, phandle) == node, "phandle 0x%x", phandle);
	}
	free(fdt);
}

Test(dtb, chosen_has_what_the_loader_knows)
{
	struct guest_config config = config_new();
	void *fdt = tree_make(&config, 0, 0);
	expect_text(fdt, "/chosen", "stdout-path", "/pl011@9000000");
	expect_bytes(fdt, "/chosen", "kaslr-seed", config.seed, 8);
	expect_bytes(fdt, "/chosen", "rng-seed", config.seed + 8, 32);
	cr_expect(is_absent(fdt, "/chosen", "bootargs"));
	cr_expect(is_absent(fdt, "/chosen", "linux,initrd-start"));
	free(fdt);
	config.bootargs = "console=ttyAMA0 quiet";
	config.ram_bytes = 5 * GIB;
	fdt = tree_make(&config, 0x148000000, 0x1001);
	expect_text(fdt, "/chosen", "bootargs", config.bootargs);
	EXPECT_CELLS(fdt, "/chosen", "linux,initrd-start", 1, 0x48000000);
	EXPECT_CELLS(fdt, "/chosen", "linux,initrd-end", 1, 0x48001001);
	EXPECT_CELLS(fdt, "/memory@40000000", "reg", 0, 0x40000000, 1, 0x40000000);
	free(fdt);
}

Test(dtb, bootargs_may_be_long)
{
	static const size_t lengths[] = {0, 1, 2047, 4096, 70000, 1 << 20, (2 << 20) - 4096};
	struct guest_config config = config_new();
	char *text = malloc(4 << 20);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		memset(text, 'x', lengths[i]);
		text[lengths[i]] = '\0';
		config.bootargs = text;
		void *fdt = tree_make(&config, 0, 0);
		if (lengths[i] == 0)
			cr_expect(is_absent(fdt, "/chosen", "bootargs"));
		else
			expect_text(fdt, "/chosen", "bootargs", text);
		expect_text(fdt, "/psci", "method", "hvc");
		free(fdt);
	}
	memset(text, 'x', (4 << 20) - 1);
	text[(4 << 20) - 1] = '\0';
	refused(&config, NAME, "2 MiB");
	text[(2 << 20) - 100] = '\0'; /* with the rest of the tree too long */
	refused(&config, NAME, "2 MiB");
	free(text);
}

/* A tree as a user may give it, in more room than it takes. */
struct user_tree {
	uint8_t fdt[TREE_BYTES] __attribute__((aligned(8)));
};

static void user_set(struct user_tree *tree, const char *path, const char *name, const char *value)
{
	int node = fdt_path_offset(tree->fdt, path);
	cr_assert_eq(fdt_setprop(tree->fdt, node, name, value, (int)strlen(value) + 1), 0);
}

static void user_node(struct user_tree *tree, const char *name)
{
	cr_assert_geq(fdt_add_subnode(tree->fdt, 0, name), 0);
}

static void user_new(struct user_tree *tree, uint32_t cells)
{
	memset(tree, 0, sizeof(*tree));
	cr_assert_eq(fdt_create_empty_tree(tree->fdt, TREE_BYTES), 0);
	cr_assert_eq(fdt_setprop_u32(tree->fdt, 0, "#address-cells", cells), 0);
	cr_assert_eq(fdt_setprop_u32(tree->fdt, 0, "#size-cells", cells), 0);
	user_set(tree, "/", "compatible", "acme,board");
	user_node(tree, "memory");
	user_node(tree, "memory@80000000");
	user_node(tree, "memory-controller@1000");
	user_set(tree, "/memory@80000000", "device_type", "memory");
}

/* Has something in every place that the loader would fill. */
static void user_new_full(struct user_tree *tree)
{
	user_new(tree, 2);
	user_node(tree, "psci");
	user_set(tree, "/psci", "method", "smc");
	user_node(tree, "chosen");
	user_set(tree, "/chosen", "bootargs", "from the tree");
	user_set(tree, "/chosen", "stdout-path", "/uart");
	user_set(tree, "/chosen", "kaslr-seed", "of user");
	user_set(tree, "/chosen", "linux,initrd-start", "old");
	user_set(tree, "/chosen", "linux,initrd-end", "old");
}

static struct guest_config config_user(const struct user_tree *tree)
{
	struct guest_config config = config_new();
	config.dtb = tree->fdt;
	config.dtb_bytes = sizeof(tree->fdt);
	return config;
}

Test(dtb, user_tree_gets_what_it_lacks)
{
	struct user_tree tree;
	user_new(&tree, 1);
	struct guest_config config = config_user(&tree);
	config.bootargs = "a b";
	void *fdt = tree_make(&config, 0x48000000, 0x123);
	expect_text(fdt, "/", "compatible", "acme,board");
	cr_expect_eq(fdt_path_offset(fdt, "/memory@80000000"), -FDT_ERR_NOTFOUND);
	cr_expect_eq(fdt_subnode_offset(fdt, 0, "memory"), fdt_path_offset(fdt, "/memory@40000000"));
	cr_expect_geq(fdt_path_offset(fdt, "/memory-controller@1000"), 0);
	EXPECT_CELLS(fdt, "/memory@40000000", "reg", 0x40000000, 0x20000000);
	expect_text(fdt, "/memory@40000000", "device_type", "memory");
	expect_text(fdt, "/chosen", "bootargs", "a b");
	EXPECT_CELLS(fdt, "/chosen", "linux,initrd-start", 0x48000000);
	EXPECT_CELLS(fdt, "/chosen", "linux,initrd-end", 0x48000123);
	expect_bytes(fdt, "/chosen", "kaslr-seed", config.seed, 8);
	expect_bytes(fdt, "/chosen", "rng-seed", config.seed + 8, 32);
	expect_text(fdt, "/psci", "method", "hvc");
	cr_expect_lt(fdt_path_offset(fdt, "/pl011@9000000"), 0, "the devices are the user's");
	free(fdt);
}

Test(dtb, user_tree_keeps_what_it_has)
{
	struct user_tree tree;
	user_new_full(&tree);
	struct guest_config config = config_user(&tree);
	void *fdt = tree_make(&config, 0, 0);
	expect_text(fdt, "/chosen", "bootargs", "from the tree");
	expect_text(fdt, "/chosen", "stdout-path", "/uart");
	expect_text(fdt, "/chosen", "kaslr-seed", "of user");
	expect_bytes(fdt, "/chosen", "rng-seed", config.seed + 8, 32);
	expect_text(fdt, "/psci", "method", "smc");
	cr_expect(is_absent(fdt, "/chosen", "linux,initrd-start"), "of another machine");
	cr_expect(is_absent(fdt, "/chosen", "linux,initrd-end"), "of another machine");
	free(fdt);
	config.bootargs = "ours";
	fdt = tree_make(&config, 0x48000000, 1);
	expect_text(fdt, "/chosen", "bootargs", "ours");
	EXPECT_CELLS(fdt, "/chosen", "linux,initrd-start", 0, 0x48000000);
	free(fdt);
}

Test(dtb, built_tree_can_be_given_back)
{
	struct guest_config config = config_new();
	config.vcpu_count = 2;
	config.bootargs = "first";
	struct guest_layout layout = {0};
	struct error error = {0};
	cr_assert(dtb_make(&config, &layout, &error), "%s", error.text);
	/* not aligned, and a byte longer than the tree says */
	char *copy = calloc(1, layout.dtb_bytes + 2);
	memcpy(copy + 1, layout.dtb, layout.dtb_bytes);
	config.dtb = copy + 1;
	config.dtb_bytes = layout.dtb_bytes + 1;
	void *fdt = tree_make(&config, 0, 0);
	expect_text(fdt, "/chosen", "bootargs", "first");
	expect_bytes(fdt, "/chosen", "kaslr-seed", config.seed, 8);
	EXPECT_CELLS(fdt, "/memory@40000000", "reg", 0, 0x40000000, 0, 0x20000000);
	free(fdt);
	free(copy);
	free(layout.dtb);
}

Test(dtb, bad_user_trees_are_refused)
{
	struct user_tree tree;
	user_new(&tree, 2);
	struct guest_config config = config_user(&tree);
	config.dtb_bytes = 0;
	refused(&config, DTB_NAME, "no device tree");
	config.dtb_bytes = 1;
	refused(&config, DTB_NAME, "not a valid");
	config.dtb_bytes = sizeof(tree.fdt) - 1;
	refused(&config, DTB_NAME, "not a valid");
	config.dtb_bytes = SIZE_MAX;
	refused(&config, DTB_NAME, "2 MiB");
	config = config_user(&tree);
	tree.fdt[0] ^= 1;
	refused(&config, DTB_NAME, "not a valid");
	tree.fdt[0] ^= 1;
	tree.fdt[fdt_off_dt_struct(tree.fdt) + 3] = 7; /* no tag has this number */
	refused(&config, DTB_NAME, "not a valid");
}

Test(dtb, user_cells_must_hold_the_addresses)
{
	static const struct {
		uint32_t cells;
		uint64_t ram_bytes, initrd_ipa;
	} table[] = {{0, MIB, 0},          {3, MIB, 0},     {4, MIB, 0},          {5, MIB, 0},
		     {UINT32_MAX, MIB, 0}, {1, 4 * GIB, 0}, {1, 3 * GIB, 4 * GIB}};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct user_tree tree;
		user_new(&tree, table[i].cells);
		struct guest_config config = config_user(&tree);
		config.ram_bytes = table[i].ram_bytes;
		struct guest_layout layout = {.initrd_ipa = table[i].initrd_ipa, .initrd_bytes = 1};
		struct error error = {0};
		cr_expect_not(dtb_make(&config, &layout, &error), "row %zu", i);
		cr_expect_not_null(strstr(error.text, DTB_NAME ": "));
		cr_expect_not_null(strstr(error.text, "make both 2"), "%s", error.text);
	}
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

Test(dtb, mutated_user_trees_never_harm)
{
	struct user_tree tree;
	user_new_full(&tree);
	cr_assert_eq(fdt_pack(tree.fdt), 0);
	const size_t bytes = fdt_totalsize(tree.fdt);
	uint64_t state = 0x9e3779b97f4a7c15;
	size_t made_count = 0;
	for (size_t i = 0; i < FUZZ_COUNT; i++) {
		uint8_t *mutant = malloc(bytes);
		memcpy(mutant, tree.fdt, bytes);
		for (uint64_t left = random_next(&state) % 4 + 1; left > 0; left--)
			mutant[random_next(&state) % bytes] ^= (uint8_t)(1 << random_next(&state) % 8);
		struct guest_config config = config_user(&tree);
		config.dtb = mutant;
		config.dtb_bytes = random_next(&state) % 16 == 0 ? random_next(&state) % bytes : bytes;
		struct guest_layout layout = {.initrd_ipa = 0x48000000, .initrd_bytes = 1};
		struct error error = {0};
		bool made = dtb_make(&config, &layout, &error);
		made_count += made;
		if (made ? fdt_check_full(layout.dtb, layout.dtb_bytes) != 0 : strstr(error.text, DTB_NAME) == NULL)
			cr_assert_fail("mutant %zu: %s", i, error.text);
		free(layout.dtb);
		free(mutant);
	}
	cr_expect_gt(made_count, FUZZ_COUNT / 20, "too few mutants are taken: %zu", made_count);
	cr_expect_lt(made_count, FUZZ_COUNT - FUZZ_COUNT / 20, "too few mutants are refused: %zu", made_count);
}
