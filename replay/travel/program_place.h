/* Where the guest's program is, for gdb's qOffsets. */
#pragma once
#include "replay/travel/timeline.h"

/* The address of the first segment of the program's ELF file, if it is not where the file says: a payload that was
 * relocated, or a Linux kernel (KASLR; its file is vmlinux, which begins with _text). Replays a kernel's start if need
 * be, and comes back. False: there is nothing to say, or it cannot be found. */
bool program_place_find(struct timeline *timeline, uint64_t *va);
