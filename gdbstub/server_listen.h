/* Listening sockets from addresses as users write them. Used by server.c only. */
#pragma once
#include "hv/error/error.h"

enum { SERVER_ADDRESS_BYTES = 160 };

/* A listening, non-blocking socket; -1 and *error. `name` is what gdb's `target remote` takes. */
int server_listen_tcp(const char *address, bool allow_remote, char name[SERVER_ADDRESS_BYTES], struct error *error);
int server_listen_unix(const char *path, char name[SERVER_ADDRESS_BYTES], struct error *error);
