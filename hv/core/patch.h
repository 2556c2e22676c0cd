/* Words of guest RAM in which hv has an instruction of its own, which the guest executes and cannot read. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>

/* Replaces the word at `ipa`, if it is an instruction for which there is a replacement. */
void patch_word(ipa_t ipa);

/* The same, of a WFE or YIELD alone. True: it was one. */
bool patch_spin(ipa_t ipa);
/* Whether HVC #imm16 is what stands for one, if its word is covered. */
bool patch_is_spin_call(uint16_t imm16);

/* The guest accesses this page of RAM in a way that stage 2 does not permit: takes the page's words out, so that the
 * access can be made again. False: hv has none there. */
bool patch_release(ipa_t page);

/* Whether a word of hv's own is in these bytes. */
bool patch_covers(ipa_t ipa, uint64_t bytes);

/* Gives RAM and stage 2 back as the guest and the CPU left them, for whoever looks at them from outside; and puts the
 * words in again, of a guest that was loaded meanwhile too. Cheap if nothing is to be done. */
void patch_hide(void);
void patch_show(void);
