/* A driver that does anything. */
#pragma once

/* Registers, rings and descriptors as chance has them, for a while; all devices are reset in the end. Ends the program
 * where hv does what it may not. */
void hostile_case(void);
