/* device_sample TRACE: writes the trace of a guest with a disk, a network card and a source of random bytes, which
 * nobody has to record. Exit status 1 and one line if it cannot be done. */
#include "tests/unit/device_sample.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct error error = {.status = STATUS_OK};
	if (argc == 2 && device_write(argv[1], &error))
		return EXIT_SUCCESS;
	fprintf(stderr, "device_sample: %s\n", argc == 2 ? error.text : "give the TRACE to write");
	return EXIT_FAILURE;
}
