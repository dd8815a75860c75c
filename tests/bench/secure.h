/* A connection of the load driver by TLS 1.3, to a broker that we have started ourselves: its certificate is not looked
 * at. */
#ifndef MILLRACE_TESTS_BENCH_SECURE_H
#define MILLRACE_TESTS_BENCH_SECURE_H

#include <sys/types.h>

#include "tests/bench/protocols.h"

/* Shakes hands, on a connected socket, which does not block from then on. */
void secure_begin(struct connection *connection);

/* As send() and recv(). */
ssize_t secure_send(struct connection *connection, const char *bytes, size_t len);
ssize_t secure_receive(struct connection *connection, char *bytes, size_t room);

#endif
