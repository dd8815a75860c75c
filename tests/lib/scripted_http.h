/* A server of HTTP/1.1 on a loop that answers what the test tells it to, wrong and hostile answers included. It listens
 * at a free port of 127.0.0.1. What goes wrong on its side fails the check test that runs. */
#ifndef MILLRACE_TESTS_SCRIPTED_HTTP_H
#define MILLRACE_TESTS_SCRIPTED_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/net/loop.h"

enum { SCRIPTED_MAX_REQUESTS = 64, SCRIPTED_BODY_BYTES = 4096 };

/* What becomes of a request, once it has come whole. */
struct scripted_answer {
	unsigned status;     /* 0: as `raw` says */
	const char *body;    /* of JSON, with its length in front */
	const char *raw;     /* bytes as they are; NULL: silence */
	const char *endless; /* then this, over and over */
	bool closes;         /* then the connection ends */
};

struct scripted_request {
	char path[128], authorization[256];
	char body[SCRIPTED_BODY_BYTES]; /* terminated; cut off */
};

struct scripted_http;

struct scripted_http *scripted_http_start(struct loop *loop);
void scripted_http_stop(struct scripted_http *server); /* NULL is fine */
const char *scripted_http_url(const struct scripted_http *server);

/* The answers of the requests to come, one each, in their order; what is silent stays so until the other side ends the
 * connection. Requests behind them are answered as the last one, if `repeats`; else not at all. */
void scripted_http_script(struct scripted_http *server, const struct scripted_answer *answers, size_t n, bool repeats);

/* Sends more to the connection whose request came last. */
void scripted_http_say(struct scripted_http *server, const char *raw);
void scripted_http_hang_up(struct scripted_http *server); /* all connections */

size_t scripted_http_n_requests(const struct scripted_http *server); /* that have come whole, ever */
size_t scripted_http_n_accepted(const struct scripted_http *server); /* connections, ever */
size_t scripted_http_n_open(const struct scripted_http *server);     /* connections now */
size_t scripted_http_n_sent(const struct scripted_http *server);     /* bytes */
/* One of the first SCRIPTED_MAX_REQUESTS requests, by the order of their coming. */
const struct scripted_request *scripted_http_request(const struct scripted_http *server, size_t i);

#endif
