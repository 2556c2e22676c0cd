/* From a trace to an ELF with its kernel's symbols, step by step; what costs a replay comes last. */
#include "tools/gdb/kernel_symbols.h"
#include "hv/host/path.h"
#include "replay/guest/symbol_elf.h"
#include "replay/travel/kernel_search.h"

#include <stdlib.h>

static bool names_get(const struct kernel *kernel, const char *map_text, const char *map_path, struct symbols *symbols,
		      struct error *error)
{
	if (map_text)
		return symbols_add_system_map(symbols, map_text, kernel->va, map_path, error);
	return kallsyms_decode(&kernel->kallsyms, kernel->relative_base, symbols, error);
}

bool kernel_symbols_write(const char *trace, const char *output, const char *system_map, struct kernel *kernel,
			  size_t *count, struct error *error)
{
	struct symbols symbols = {0};
	size_t map_bytes;
	*kernel = (struct kernel){0};
	char *map_text = system_map ? path_read_file(system_map, "System.map", &map_bytes, error) : NULL;
	bool good = error->status == STATUS_OK && kernel_load(trace, kernel, error);
	if (good && !map_text && !kernel->has_kallsyms)
		good = error_set(error, STATUS_FAILED,
				 "%s: the kernel has no kallsyms (CONFIG_KALLSYMS is off); give its System.map with "
				 "--system-map, or its vmlinux to `hvrec debug --symbols`",
				 trace);
	if (good && kernel_search_trace(trace, kernel, error) &&
	    names_get(kernel, map_text, system_map, &symbols, error)) {
		symbols_sort(&symbols);
		symbol_elf_write(&symbols, output, error);
	}
	*count = symbols.count;
	symbols_free(&symbols);
	free(map_text);
	return error->status == STATUS_OK;
}
