/* Recording: boots a guest under hv and writes its trace. */
#pragma once
#include "hv/abi/mailbox.h"
#include "hv/error/error.h"
#include "recorder/devices_options.h"
#include <stdbool.h>
#include <stdint.h>

struct record_options {
	const char *trace;        /* the file to write */
	const char *kernel;       /* the file to run: a Linux Image, an ELF or a flat binary; or NULL: */
	char *firmware;           /* the image to run from flash */
	const char *initrd;       /* or NULL */
	const char *dtb;          /* or NULL: built */
	const char *bootargs;     /* or NULL */
	const char *input;        /* console input: a file, "-", or NULL: the terminal if there is one */
	const char **input_after; /* NULL-terminated, or NULL: what the console shows before each line of it */
	const char *until;        /* end when the console shows this; NULL: do not */
	const char *console;      /* console output: a file, "-" or NULL, "none" */
	uint64_t memory_bytes;    /* of the guest */
	uint32_t vcpu_count;      /* 1 to GUEST_VCPU_MAX */
	uint64_t turn_seed;       /* turns are drawn at random from it; 0: they are fair */
	enum hv_pace pace;
	bool pace_chosen;          /* otherwise: real on a terminal, skip elsewhere */
	uint64_t max_instructions; /* 0: none */
	struct devices_options devices;
	double timeout_s;     /* of real time; 0: none */
	uint64_t keyframe_ns; /* of real time between keyframes; 0: none are taken */
	uint64_t keep_ns;     /* keep only so much of the end, in guest time; 0: all */
	uint64_t keep_bytes;  /* keep only about the last so many bytes of events and keyframes; 0: all */
	bool quiet;
};

/* The file to run. */
static inline const char *record_program(const struct record_options *options)
{
	return options->firmware ? options->firmware : options->kernel;
}

/* Records until the guest or the user ends it. Fills `error` unless the guest powered off or the user ended it; the
 * trace is then still there, as far as it could be written. */
bool record_run(const struct record_options *options, struct error *error);
