/* The first failure is kept; what is known besides may be added to it. */
#include "hv/error/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

void error_add(struct error *error, const char *format, ...)
{
	size_t used = strlen(error->text);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(error->text + used, sizeof(error->text) - used, format, arguments);
	va_end(arguments);
}
