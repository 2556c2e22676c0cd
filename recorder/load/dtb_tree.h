/* A device tree while it is made, by libfdt: nodes and properties of the Devicetree Specification 0.4. The first
 * failure sticks in `status`, and every call after it does nothing, so that whoever builds a tree asks once, at the
 * end. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { DTB_TREE_CELLS_MAX = 2 }; /* of an address or a size */

struct dtb_tree {
	void *fdt;  /* the blob, with room to grow; the caller's */
	int status; /* of libfdt: negative once anything has failed */
};

/* A new child of `parent`; 0, the root, if that fails. */
int dtb_tree_add(struct dtb_tree *tree, int parent, const char *name);
/* The named child of the root, or -FDT_ERR_NOTFOUND, which is no failure. */
int dtb_tree_find(struct dtb_tree *tree, const char *name);

/* Properties, replaced if the node has them. A flag has no value; cells are 32 bits, stored big-endian. */
void dtb_tree_put(struct dtb_tree *tree, int node, const char *name, const void *value, size_t bytes);
void dtb_tree_put_flag(struct dtb_tree *tree, int node, const char *name);
void dtb_tree_put_text(struct dtb_tree *tree, int node, const char *name, const char *text);
void dtb_tree_put_cells(struct dtb_tree *tree, int node, const char *name, size_t count, const uint32_t *cell);
void dtb_tree_put_cell(struct dtb_tree *tree, int node, const char *name, uint32_t cell);

/* Appends a number of `cells` 32-bit cells, 1 or 2; one that does not fit is a bad value. */
void dtb_tree_append(struct dtb_tree *tree, int node, const char *name, int cells, uint64_t number);
/* Appends an address and a size of two cells each, as in `reg`. */
void dtb_tree_put_range(struct dtb_tree *tree, int node, const char *name, uint64_t ipa, uint64_t bytes);
/* Removes a property, if the node has it. */
void dtb_tree_remove(struct dtb_tree *tree, int node, const char *name);
