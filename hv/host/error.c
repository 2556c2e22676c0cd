/* One function: the first failure is kept. */
#include "hv/host/error.h"

#include <stdarg.h>
#include <stdio.h>

bool error_set(struct error *error, enum status status, const char *format, ...)
{
	if (error->status != STATUS_OK)
		return false;
	error->status = status;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return false;
}
