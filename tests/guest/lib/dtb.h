/* A look into the DTB (Devicetree Specification 0.4, chapter 5), for properties of nodes right below the root. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Finds the property in the first such node whose name starts with `node`. Returns its bytes (in the DTB) and fills
 * *bytes, or NULL if there is no DTB at guest_dtb, or no such property. */
const uint8_t *dtb_property(const char *node, const char *property, uint32_t *bytes);

/* The first range of /memory, with the two address and two size cells of the virt board. False if there is none. */
bool dtb_memory(uint64_t *start, uint64_t *bytes);
