/* Looking up sorted symbols. What lies between the end of one function and the next symbol counts as the former: the
 * tables have no sizes. */
#include "tools/report/report_names.h"
#include "replay/travel/kernel_search.h"

#include <inttypes.h>
#include <stdio.h>

bool report_names_load(const char *trace, struct symbols *names, struct error *error)
{
	struct kernel kernel = {0};
	bool good = kernel_load(trace, &kernel, error);
	if (good && !kernel.has_kallsyms)
		good = error_set(error, STATUS_FAILED,
				 "%s: the kernel has no names of its own (CONFIG_KALLSYMS is off)", trace);
	good = good && kernel_search_trace(trace, &kernel, error) &&
	       kallsyms_decode(&kernel.kallsyms, kernel.relative_base, names, error);
	if (good)
		symbols_sort(names);
	kernel_free(&kernel);
	return good;
}

/* The last symbol at or before `pc`, the first of equal ones; NULL if that is no function. */
static const struct symbol *function_at(const struct symbols *names, uint64_t pc)
{
	size_t low = 0, high = names->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (names->at[middle].va <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	size_t at = low - 1;
	while (at > 0 && names->at[at - 1].va == names->at[at].va)
		at--;
	char type = names->at[at].type;
	return type == 't' || type == 'T' || type == 'w' || type == 'W' ? &names->at[at] : NULL;
}

uint64_t report_names_function(const struct symbols *names, uint64_t pc)
{
	const struct symbol *function = function_at(names, pc);
	return function ? function->va : pc;
}

void report_names_text(const struct symbols *names, uint64_t pc, char *text, size_t bytes)
{
	const struct symbol *function = function_at(names, pc);
	if (!function)
		snprintf(text, bytes, "%016" PRIx64, pc);
	else if (function->va == pc)
		snprintf(text, bytes, "%s", names->names + function->name);
	else
		snprintf(text, bytes, "%s+%#" PRIx64, names->names + function->name, pc - function->va);
}
