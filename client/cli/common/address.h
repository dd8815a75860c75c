/* What stands at an address that did not answer as a daemon does: asked by a connection of its own, in a second. */
#ifndef MILLRACE_CLI_COMMON_ADDRESS_H
#define MILLRACE_CLI_COMMON_ADDRESS_H

#include <stddef.h>

/* Writes advice ("; what answers there is ...") into text[size] for an address to which no connection could be made,
 * and `said` what the library said of that, "" if there is none to give. Of Unix sockets, and of several addresses,
 * nothing is said. Returns text. */
const char *address_advice(const char *address, const char *said, char *text, size_t size);

#endif
