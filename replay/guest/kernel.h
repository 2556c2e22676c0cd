/* The Linux kernel of a trace: its image as it went to RAM, and where it runs (KASLR). */
#pragma once
#include "replay/guest/guest_memory.h"
#include "replay/guest/kallsyms.h"
#include "storage/trace.h"

struct kernel {
	void *image;
	size_t image_bytes;
	uint64_t ipa;      /* of its first byte */
	uint64_t va;       /* where that byte, the symbol _text, is when the kernel runs; from kernel_search */
	bool has_kallsyms; /* `kallsyms` is what the image has */
	struct kallsyms kallsyms;
	uint64_t relative_base; /* of `kallsyms`, as the running kernel has it; from kernel_locate */
};

/* Reads the image. False: the trace's guest is not a Linux Image; error set. The caller frees whatever comes. `path` is
 * for messages. */
bool kernel_read(struct trace_reader *trace, const char *path, struct kernel *kernel, struct error *error);
/* The same, from a trace that is not open. */
bool kernel_load(const char *trace, struct kernel *kernel, struct error *error);
/* Finds where the kernel runs in a stopped guest, and fills `relative_base`. False: that cannot be seen here. */
bool kernel_locate(struct kernel *kernel, struct guest_memory memory, const struct vcpu_state *vcpu, uint64_t *va);
void kernel_free(struct kernel *kernel);
