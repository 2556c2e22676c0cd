/* The numbers on the command line, out of the device tree. */
#include "tests/guest/lib/arguments.h"
#include "tests/guest/lib/dtb.h"
#include "tests/guest/lib/guest.h"

static const char *skip(const char *text, bool spaces)
{
	while (*text && (*text == ' ') == spaces)
		text++;
	return text;
}

uint64_t argument_number(uint32_t index, uint64_t absent)
{
	uint32_t bytes;
	const char *text = (const char *)dtb_property("chosen", "bootargs", &bytes);
	if (!text)
		return absent;
	text = skip(text, true);
	for (uint32_t i = 0; i < index; i++)
		text = skip(skip(text, false), true);
	if (*text < '0' || *text > '9')
		return absent;
	uint64_t number = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (uint64_t)(*text - '0');
	return number;
}
