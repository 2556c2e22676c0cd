/* Nodes and properties by libfdt, each call only while none before it has failed. */
#include "recorder/load/dtb_tree.h"

#include <libfdt.h>
#include <string.h>

int dtb_tree_add(struct dtb_tree *tree, int parent, const char *name)
{
	if (tree->status < 0)
		return 0;
	int node = fdt_add_subnode(tree->fdt, parent, name);
	tree->status = node < 0 ? node : 0;
	return node;
}

void dtb_tree_put(struct dtb_tree *tree, int node, const char *name, const void *value, size_t bytes)
{
	if (tree->status >= 0)
		tree->status = fdt_setprop(tree->fdt, node, name, value, (int)bytes);
}

void dtb_tree_put_flag(struct dtb_tree *tree, int node, const char *name)
{
	dtb_tree_put(tree, node, name, NULL, 0);
}

void dtb_tree_put_text(struct dtb_tree *tree, int node, const char *name, const char *text)
{
	dtb_tree_put(tree, node, name, text, strlen(text) + 1);
}

void dtb_tree_put_cells(struct dtb_tree *tree, int node, const char *name, size_t count, const uint32_t *cell)
{
	dtb_tree_put_flag(tree, node, name);
	for (size_t i = 0; i < count && tree->status >= 0; i++)
		tree->status = fdt_appendprop_u32(tree->fdt, node, name, cell[i]);
}

void dtb_tree_put_cell(struct dtb_tree *tree, int node, const char *name, uint32_t cell)
{
	dtb_tree_put_cells(tree, node, name, 1, &cell);
}

void dtb_tree_append(struct dtb_tree *tree, int node, const char *name, int cells, uint64_t number)
{
	if (tree->status >= 0 && cells == 1 && number > UINT32_MAX)
		tree->status = -FDT_ERR_BADNCELLS;
	if (tree->status >= 0)
		tree->status = cells == 1 ? fdt_appendprop_u32(tree->fdt, node, name, (uint32_t)number)
					  : fdt_appendprop_u64(tree->fdt, node, name, number);
}

void dtb_tree_put_range(struct dtb_tree *tree, int node, const char *name, uint64_t ipa, uint64_t bytes)
{
	dtb_tree_append(tree, node, name, DTB_TREE_CELLS_MAX, ipa);
	dtb_tree_append(tree, node, name, DTB_TREE_CELLS_MAX, bytes);
}

void dtb_tree_remove(struct dtb_tree *tree, int node, const char *name)
{
	if (tree->status < 0)
		return;
	int status = fdt_delprop(tree->fdt, node, name);
	if (status != -FDT_ERR_NOTFOUND)
		tree->status = status;
}

int dtb_tree_find(struct dtb_tree *tree, const char *name)
{
	if (tree->status < 0)
		return -FDT_ERR_NOTFOUND;
	int node = fdt_subnode_offset(tree->fdt, 0, name);
	if (node < 0 && node != -FDT_ERR_NOTFOUND)
		tree->status = node;
	return node;
}
