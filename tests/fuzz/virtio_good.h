/* Orderly drivers with random requests, whose results are compared with a model. */
#pragma once

/* A device with its driver from reset on, some rounds of requests; ends the program where anything is not as it should
 * be. */
void good_case(void);
