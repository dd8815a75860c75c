/* The words in which every outcome is told: statuses, and the codes of `error`. Shared by the daemon, its core, the
 * client and the command line; the texts stand in status.def alone. Pure. */
#ifndef MILLRACE_PROTO_STATUS_H
#define MILLRACE_PROTO_STATUS_H

#include <stddef.h>

enum status {
#define STATUS(name, word, text) STATUS_##name,
#define ERROR(name, word, text)
#include "proto/status.def"
#undef STATUS
#undef ERROR
	STATUS_COUNT
};

enum error {
	ERROR_NONE,
#define STATUS(name, word, text)
#define ERROR(name, word, text) ERROR_##name,
#include "proto/status.def"
#undef STATUS
#undef ERROR
	ERROR_COUNT
};

/* The protocol's word ("ok", "no_such_channel"). Static storage; never NULL. */
const char *status_name(enum status status);
const char *error_name(enum error error);

/* The text for people. Static storage; never NULL. */
const char *status_text(enum status status);
const char *error_text(enum error error);

/* The status or error that a word of `len` bytes names. An unknown status is STATUS_ERROR, an unknown code
 * ERROR_INTERNAL: so a client treats what a newer daemon says. */
enum status status_from_name(const char *word, size_t len);
enum error error_from_name(const char *word, size_t len);

#endif
