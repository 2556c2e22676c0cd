/* Drivers against hv's virtio devices: `fuzz_virtio COUNT SEED` does COUNT cases, each a driver that does anything
 * (virtio_hostile.c) and then, after a reset, a careful one whose results are compared with a model (virtio_good.c): it
 * must not be able to tell what was before. The same COUNT and SEED do the same. Meant for ASan and UBSan. */
#include "tests/fuzz/random.h"
#include "tests/fuzz/virtio_good.h"
#include "tests/fuzz/virtio_host.h"
#include "tests/fuzz/virtio_hostile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CASE_S_MAX = 20, CASES_OF_A_HOST = 100 };

uint64_t random_state;

/* Each case has a state of its own, so that one can be repeated: `fuzz_virtio 1 SEED+CASE`. */
static void one_case(uint64_t seed)
{
	random_state = seed * UINT64_C(0xd1342543de82ef95);
	alarm(CASE_S_MAX); /* hv may not be kept at work for ever */
	hostile_case();
	good_case();
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: fuzz_virtio COUNT SEED\n");
		return 1;
	}
	uint64_t count = strtoull(argv[1], NULL, 10), seed = strtoull(argv[2], NULL, 10);
	for (uint64_t i = 0; i < count; i++) {
		if (i % CASES_OF_A_HOST == 0)
			host_begin();
		one_case(seed + i);
	}
	printf("fuzz_virtio: %" PRIu64 " cases, %" PRIu64 " events of devices, %" PRIu64 " bytes out\n", count,
	       host.events, host.moved);
	free(host.ram);
	return 0;
}
