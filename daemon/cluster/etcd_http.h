/* Requests of HTTP/1.1 on the loop, by libcurl: what the etcd client needs of it, and nothing of etcd. One request goes
 * to one URL, once, over a connection that is kept; no redirects, no proxies, whatever the environment says. What
 * answers may be slow, endless or hostile: an answer has a greatest size, and a time after which silence ends it. */
#ifndef MILLRACE_CLUSTER_ETCD_HTTP_H
#define MILLRACE_CLUSTER_ETCD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/net/loop.h"
#include "proto/buffer.h"
#include "proto/slice.h"

struct etcd_http;
struct etcd_fetch;

/* Files for TLS, in PEM; NULL: the system's authorities, no certificate of our own. They are read by each connection
 * that is made. */
struct etcd_http_files {
	const char *ca, *cert, *key;
};

enum etcd_fetch_end {
	ETCD_FETCH_ANSWERED, /* `status` and `answer` are there */
	ETCD_FETCH_NOT_SENT, /* there was no connection: the request has not left */
	ETCD_FETCH_LOST,     /* it broke, or was silent for too long: the request may have arrived */
	ETCD_FETCH_TOO_LONG, /* the answer is longer than it may be, and so is lost too */
};

struct etcd_fetched {
	enum etcd_fetch_end end;
	unsigned status;       /* of HTTP */
	struct buffer *answer; /* may be written in */
	const char *message;   /* unless ANSWERED: why, in one line */
};

/* Ends a request, once. Everything that it is given is valid during the call. */
typedef void etcd_fetch_cb(void *arg, const struct etcd_fetched *fetched);
/* Bytes of the answer have come. It must not start or cancel a request. */
typedef void etcd_fetch_bytes_cb(void *arg, struct slice bytes);

struct etcd_fetch_request {
	const char *url;
	struct slice body;             /* of JSON, to POST; it has to stay until the end. NULL: GET */
	const char *authorization;     /* NULL: none */
	size_t max_answer;             /* in bytes */
	uint64_t silence_us;           /* how long nothing may come */
	etcd_fetch_bytes_cb *on_bytes; /* not NULL: the answer goes there, and is not kept, however long */
	etcd_fetch_cb *cb;
	void *arg;
};

/* Loads libcurl, before anything else. NULL: it is there; else why not. */
const char *etcd_http_load(void);

struct etcd_http *etcd_http_create(struct loop *loop, const struct etcd_http_files *files); /* NULL without memory */
void etcd_http_destroy(struct etcd_http *http); /* none may be under way. NULL is fine */

/* NULL without memory. The callback is never called within. */
struct etcd_fetch *etcd_http_fetch(struct etcd_http *http, const struct etcd_fetch_request *request);
void etcd_fetch_cancel(struct etcd_fetch *fetch); /* the callback does not come. NULL is fine */

/* NULL: it is a URL of a server, "https://10.0.0.1:2379" or with http; else why not. */
const char *etcd_http_wrong_url(const char *url);

#endif
