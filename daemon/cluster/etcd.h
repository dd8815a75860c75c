/* etcd, 3.4 or newer, as an engine: its JSON gateway over HTTP, on the loop.
 *
 * A call tries one endpoint after the other, each for `try_ms` without an answer (longer in later rounds), for
 * `call_ms` in all. What answers wrongly, or belongs to another cluster than what answered first, is as if it had not
 * answered. With a user it logs in first, and again when etcd does not know the token any more. */
#ifndef MILLRACE_CLUSTER_ETCD_H
#define MILLRACE_CLUSTER_ETCD_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/cluster/engine.h"
#include "daemon/net/loop.h"

enum {
	ETCD_MAX_ENDPOINTS = 16,
	ETCD_TRY_MS = 400,
	ETCD_CALL_MS = 3000,
	ETCD_ERROR_BYTES = 512,
};

struct etcd_settings {
	const char *const *endpoints; /* URLs: http://10.0.0.1:2379 */
	size_t n_endpoints;
	const char *prefix;          /* of all keys; a '/' is put behind it, unless it is there */
	const char *ca, *cert, *key; /* files for https; NULL: the system's authorities, no certificate */
	const char *user, *password; /* NULL: none */
	uint32_t try_ms, call_ms;    /* 0: as above */
};

/* The settings are copied. NULL: `error` says what is wrong with them. Nothing is asked yet. */
struct engine *etcd_create(struct loop *loop, const struct etcd_settings *settings, char error[ETCD_ERROR_BYTES]);
void etcd_destroy(struct engine *engine); /* cancels everything. Never within a callback. NULL is fine */

#endif
