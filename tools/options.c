/* The kinds of values that options have, whole text or nothing; and the default of -o. */
#include "tools/options.h"
#include "replay/run/engine.h"
#include "replay/trace/numbers.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct unit {
	char letter;
	uint64_t factor;
};

/* A number and one of `units`; an empty unit is the first. */
static bool scaled(const char *text, const struct unit *units, size_t unit_count, uint64_t *value)
{
	char *end;
	errno = 0;
	if (!isdigit((unsigned char)*text))
		return false;
	uint64_t number = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
	uint64_t factor = units[0].factor;
	for (size_t i = 0; i < unit_count && *end; i++) {
		if (tolower((unsigned char)*end) == units[i].letter) {
			factor = units[i].factor;
			end++;
			break;
		}
	}
	if (errno != 0 || *end || number > UINT64_MAX / factor)
		return false;
	*value = number * factor;
	return true;
}

bool options_text(const char *option, const char *text, void *into, struct error *error)
{
	(void)option;
	(void)error;
	*(const char **)into = text;
	return true;
}

bool options_flag(const char *option, const char *text, void *into, struct error *error)
{
	(void)option;
	(void)text;
	(void)error;
	*(bool *)into = true;
	return true;
}

bool options_count(const char *option, const char *text, void *into, struct error *error)
{
	return numbers_count(text, into) ||
	       error_set(error, STATUS_FAILED, "%s %s is not a number of instructions, such as 1500000 or 2G", option,
			 text);
}

bool options_size(const char *option, const char *text, void *into, struct error *error)
{
	static const struct unit units[] = {
		{'m', UINT64_C(1) << 20}, {'k', UINT64_C(1) << 10}, {'g', UINT64_C(1) << 30}};
	return scaled(text, units, 3, into) ||
	       error_set(error, STATUS_FAILED, "%s %s is not a size, such as 512M or 2G", option, text);
}

bool options_duration(const char *option, const char *text, void *into, struct error *error)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ms", 1e6}, {"s", 1e9}, {"min", 6e10}, {"h", 3.6e12}};
	char *end;
	double number = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && end != text; i++) {
		double product = number * units[i].ns;
		if (strcmp(end, units[i].name) == 0 && product >= 1 && product < 9e18) {
			*(uint64_t *)into = (uint64_t)product;
			return true;
		}
	}
	return error_set(error, STATUS_FAILED, "%s %s is not a duration, such as 500ms, 2s or 10min", option, text);
}

bool options_seconds(const char *option, const char *text, void *into, struct error *error)
{
	char *end;
	double seconds = strtod(text, &end);
	*(double *)into = seconds;
	if (end != text && *end == 0 && isfinite(seconds) && seconds > 0)
		return true;
	return error_set(error, STATUS_FAILED, "%s %s is not a number of seconds", option, text);
}

bool options_output(const char *trace, const char *ending, char *path, size_t path_bytes, struct error *error)
{
	const char *slash = strrchr(trace, '/'), *dot = strrchr(trace, '.');
	size_t stem = dot && dot > (slash ? slash + 1 : trace) ? (size_t)(dot - trace) : strlen(trace);
	if (strcmp(trace + stem, ending) == 0)
		stem = strlen(trace);
	int length = snprintf(path, path_bytes, "%.*s%s", (int)stem, trace, ending);
	return (length > 0 && (size_t)length < path_bytes) || error_set(error, STATUS_FAILED, "the path is too long");
}

bool options_jobs(const char *option, const char *text, void *into, struct error *error)
{
	char *end;
	long value = strtol(text, &end, 10);
	if (end == text || *end || value < 1 || value > ENGINE_JOBS_MAX)
		return error_set(error, STATUS_FAILED, "%s %s is not a number between 1 and %d", option, text,
				 ENGINE_JOBS_MAX);
	*(unsigned *)into = (unsigned)value;
	return true;
}

bool options_qemu(const char *option, const char *text, void *into, struct error *error)
{
	(void)into;
	if (strchr(text, '/') && access(text, X_OK) != 0)
		return error_set(error, STATUS_FAILED, "%s %s: %s", option, text, strerror(errno));
	if (!*text || setenv("HVREC_QEMU", text, 1) != 0)
		return error_set(error, STATUS_FAILED, "%s needs the name of a program", option);
	return true;
}

unsigned options_jobs_default(void)
{
	cpu_set_t cores;
	int count = sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
	return count < ENGINE_JOBS_MAX ? (unsigned)count : ENGINE_JOBS_MAX;
}
