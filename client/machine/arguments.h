/* Arguments of the public functions, checked so that what is impossible is never sent. Each returns MR_OK, or an error
 * with its message (failure.h). */
#ifndef MILLRACE_CLIENT_MACHINE_ARGUMENTS_H
#define MILLRACE_CLIENT_MACHINE_ARGUMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "client/millrace.h"

/* Whether a time-out is possible. */
int timeout_check(int64_t timeout_ms);

/* Whether the string is UTF-8; `what` is said of it if not. */
int string_check(const char *what, const char *string);

/* Whether the text is one JSON value, or an array of values, that can be put. */
int value_check(const char *json, size_t len);
int values_check(const char *json, size_t len);

/* A jansson value as text, to be freed; NULL and *status with its message. */
char *json_dump(const json_t *value, size_t *len, int *status);

#endif
