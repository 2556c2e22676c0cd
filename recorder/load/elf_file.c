/* What reading and relocating have in common. */
#include "recorder/load/elf_file.h"

#include <stdarg.h>
#include <stdio.h>

enum { REFUSAL_BYTES = 512 };

bool elf_file_refuse(const struct elf_file *elf, const char *format, ...)
{
	char text[REFUSAL_BYTES];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return error_set(elf->error, STATUS_FAILED, "%s: %s", elf->file->name, text);
}

Elf_Data *elf_file_piece(const struct elf_file *elf, uint64_t offset, uint64_t bytes, Elf_Type type)
{
	return offset > INT64_MAX ? NULL : elf_getdata_rawchunk(elf->handle, (int64_t)offset, bytes, type);
}

bool elf_file_refuse_dynamic(const struct elf_file *elf)
{
	return elf_file_refuse(elf, "needs a dynamic linker: link it with -static, or with -static-pie or "
				    "-Wl,--no-dynamic-linker");
}
