/* The options of hvrec record that give the guest devices. */
#pragma once
#include "hv/error/error.h"
#include "recorder/record.h"
#include <stdbool.h>

/* Rows of an option table: --disk FILE[,ro][,write][,serial=TEXT][,name=TEXT][,format=NAME]. `into` is struct
 * record_options. */
bool record_disk_take(const char *option, const char *text, void *into, struct error *error);
/* --net none|user[,restrict][,hostfwd=tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT]… */
bool record_net_take(const char *option, const char *text, void *into, struct error *error);
/* Frees what they have kept. */
void record_devices_free(struct record_options *options);
