/* A static PIE, linked at 0: pointers in data hold the addresses at which it runs, wherever it was loaded. */
#include "tests/guest/lib/guest.h"

const char guest_name[] = "pie";

extern char image_start[];

static const char *const words[] = {"one", "two", "three"};
static const char *const *volatile words_pointer = words;
static void (*volatile print_pointer)(const char *) = print;

void guest_main(void)
{
	print_pointer("pie: ");
	for (int i = 0; i < 3; i++)
		print_pointer(words_pointer[i]);
	print("\n");
	CHECK((uint64_t)image_start >= RAM, "runs below RAM");
	CHECK((uint64_t)print_pointer - (uint64_t)image_start < 0x100000, "pointer was not relocated");
}
