/* Random numbers of the system. */
#ifndef MILLRACE_CLIENT_NET_ENTROPY_H
#define MILLRACE_CLIENT_NET_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

uint64_t entropy_number(void);

/* Writes so many random hexadecimal digits and a NUL. */
void entropy_digits(char *to, size_t n);

#endif
