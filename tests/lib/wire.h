/* A raw connection for tests: protocol 1 as it stands on the wire, right or wrong. Nothing returns failure but where it
 * says so: what goes wrong fails the check test that runs. Whatever waits does so for the descriptor, at most
 * WIRE_DEADLINE_MS.
 *
 * Sending reads too what arrives meanwhile, so that two sides with full buffers never wait for each other; but not that
 * of a slow one.
 */
#ifndef MILLRACE_TESTS_WIRE_H
#define MILLRACE_TESTS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "tests/lib/daemon.h"

enum { WIRE_DEADLINE_MS = 30000 };

struct wire;

struct wire *wire_connect(const struct daemon *daemon); /* over TCP */
struct wire *wire_connect_unix(const struct daemon *daemon);
/* Connects with small socket buffers, and reads nothing while it sends: a client that is slow or stuck. */
struct wire *wire_connect_slow(const struct daemon *daemon);
void wire_close(struct wire *wire); /* NULL is fine */
void wire_reset(struct wire *wire); /* closes it by a reset */
int wire_fd(const struct wire *wire);

/* -- sending -- */

void wire_send(struct wire *wire, const char *json); /* in a frame */
__attribute__((format(printf, 2, 3))) void wire_sendf(struct wire *wire, const char *format, ...);
void wire_send_frame(struct wire *wire, const void *body, size_t len);
void wire_send_bytes(struct wire *wire, const void *bytes, size_t len); /* as they are */
/* False: the peer has closed. */
bool wire_try_send_bytes(struct wire *wire, const void *bytes, size_t len);
void wire_end_sending(struct wire *wire); /* shutdown(SHUT_WR) */

/* Frames into memory: appends one to *bytes (realloc'd), whose length is *len. */
void wire_frame(char **bytes, size_t *len, const char *json);

/* -- receiving -- Replies in the order of arrival. */

const char *wire_recv(struct wire *wire);  /* the next one's text; valid until the next call */
json_t *wire_recv_json(struct wire *wire); /* the caller's */

/* The next reply has at least these members, with these values (objects in them: at least those). */
void wire_expect(struct wire *wire, const char *json);
__attribute__((format(printf, 2, 3))) void wire_expectf(struct wire *wire, const char *format, ...);
/* The next reply has exactly these members. */
void wire_expect_exactly(struct wire *wire, const char *json);
/* The next reply has these bytes somewhere. */
void wire_expect_bytes(struct wire *wire, const char *bytes);
/* The next reply is this error, and its message has `needle` ("" is in every one). id -1: null. */
void wire_expect_error(struct wire *wire, int64_t id, const char *code, const char *needle);

/* Sends a request and expects its reply. */
void wire_ask(struct wire *wire, const char *request, const char *reply);
void wire_ask_exactly(struct wire *wire, const char *request, const char *reply);
void wire_ask_error(struct wire *wire, const char *request, int64_t id, const char *code, const char *needle);

void wire_sync(struct wire *wire); /* waits until all that was sent has been carried out; no reply may be on its way */
void wire_closed(struct wire *wire); /* the daemon ends it in order, and nothing comes before */

/* Compares as wire_expect(): whether `actual` has at least what `expected` has. */
bool json_has(const json_t *actual, const json_t *expected);

#endif
