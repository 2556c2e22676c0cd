/* Where a kernel runs is read from the guest itself: an address of kernel code (the exception vectors, or pc) goes
 * through the guest's page tables to a byte of the image, and that gives the address of the image's first byte. The
 * trampoline vectors are an alias of a few pages; so the whole image has to be mapped accordingly. */
#include "replay/guest/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE_BYTES = 1 << 16 };

bool kernel_read(struct trace_reader *trace, const char *path, struct kernel *kernel, struct error *error)
{
	char *kind = NULL, name[32];
	*kernel = (struct kernel){0};
	if (trace_get_text(trace, TRACE_META_KERNEL_KIND, &kind, error) == TRACE_FOUND &&
	    strcmp(kind, "Linux Image") != 0) {
		error_set(error, STATUS_FAILED, "%s: the guest is no Linux Image (%s): it has no kallsyms", path, kind);
	} else if (kind && trace_get_u64(trace, TRACE_META_ENTRY_IPA, &kernel->ipa, error) == TRACE_FOUND) {
		snprintf(name, sizeof(name), "ram/%" PRIx64, kernel->ipa);
		trace_get_file(trace, name, &kernel->image, &kernel->image_bytes, error);
	}
	free(kind);
	if (!kernel->image)
		return error_set(error, STATUS_FAILED, "%s: the kernel is missing: the trace is damaged", path);
	kernel->has_kallsyms = kallsyms_find(kernel->image, kernel->image_bytes, &kernel->kallsyms);
	return true;
}

bool kernel_load(const char *path, struct kernel *kernel, struct error *error)
{
	*kernel = (struct kernel){0};
	struct trace_reader *trace = trace_open(path, error);
	bool loaded = trace && kernel_read(trace, path, kernel, error);
	trace_close(trace);
	return loaded;
}

/* Not everything has to be mapped: the image's head is not, and memory for initialisation is given back. */
static bool mapped_from(const struct kernel *kernel, struct guest_memory memory, const struct vcpu_state *vcpu,
			uint64_t va)
{
	size_t sample_count = 0, mapped_count = 0;
	for (size_t offset = 0; offset < kernel->image_bytes; offset += SAMPLE_BYTES) {
		ipa_t ipa;
		sample_count++;
		if (guest_memory_translate(memory, vcpu, (va_t){va + offset}, &ipa) && ipa.v == kernel->ipa + offset)
			mapped_count++;
	}
	return mapped_count * 2 > sample_count;
}

static bool locate_by(const struct kernel *kernel, struct guest_memory memory, const struct vcpu_state *vcpu,
		      uint64_t code_va, uint64_t *va)
{
	ipa_t ipa;
	if (!(code_va >> 63) || !guest_memory_translate(memory, vcpu, (va_t){code_va}, &ipa) || ipa.v < kernel->ipa ||
	    ipa.v - kernel->ipa >= kernel->image_bytes)
		return false;
	*va = code_va - (ipa.v - kernel->ipa);
	return mapped_from(kernel, memory, vcpu, *va);
}

bool kernel_locate(struct kernel *kernel, struct guest_memory memory, const struct vcpu_state *vcpu, uint64_t *va)
{
	if (!locate_by(kernel, memory, vcpu, vcpu->vbar_el1, va) && !locate_by(kernel, memory, vcpu, vcpu->pc, va))
		return false;
	return !kernel->has_kallsyms ||
	       (guest_memory_read_physical(memory, (ipa_t){kernel->ipa + kernel->kallsyms.relative_base},
					   &kernel->relative_base, sizeof(kernel->relative_base)) &&
		kernel->relative_base - *va < kernel->image_bytes);
}

void kernel_free(struct kernel *kernel)
{
	free(kernel->image);
	*kernel = (struct kernel){0};
}
