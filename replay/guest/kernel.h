/* The Linux kernel of a trace: its image as it went to RAM, and where it runs (KASLR). */
#pragma once
#include "hv/host/error.h"
#include "replay/guest/kallsyms.h"
#include "replay/travel/timeline.h"

struct kernel {
	void *image;
	size_t image_bytes;
	uint64_t ipa;      /* of its first byte */
	uint64_t va;       /* where that byte, the symbol _text, is when the kernel runs; from kernel_locate */
	bool has_kallsyms; /* `kallsyms` is what the image has */
	struct kallsyms kallsyms;
	uint64_t relative_base; /* of `kallsyms`, as the running kernel has it; from kernel_locate */
};

/* Reads the image. False: the trace's guest is not a Linux Image; error set. The caller frees whatever comes. `path` is
 * for messages. */
bool kernel_read(struct trace_reader *trace, const char *path, struct kernel *kernel, struct error *error);
/* The same, from a trace that is not open. */
bool kernel_load(const char *trace, struct kernel *kernel, struct error *error);
/* Goes on in the timeline until the kernel runs where it then stays, and fills `va` and `relative_base`. False: it
 * never does; error set. Leaves the timeline anywhere. */
bool kernel_find(struct kernel *kernel, struct timeline *timeline, const char *path, struct error *error);
/* The same, in a replay of its own. */
bool kernel_locate(const char *trace, struct kernel *kernel, struct error *error);
void kernel_free(struct kernel *kernel);
