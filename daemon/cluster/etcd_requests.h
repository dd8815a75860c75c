/* What is asked of etcd, as the JSON of its gateway. Pure. */
#ifndef MILLRACE_CLUSTER_ETCD_REQUESTS_H
#define MILLRACE_CLUSTER_ETCD_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/cluster/engine.h"
#include "proto/buffer.h"
#include "proto/slice.h"

/* Each appends the body of one request; keys get the prefix in front. Without memory the buffer has failed. */
void etcd_request_transaction(struct buffer *body, struct slice prefix, const struct engine_transaction *transaction);
void etcd_request_range(struct buffer *body, struct slice prefix, struct slice key, struct slice end, size_t limit,
			bool keys_only);
void etcd_request_grant(struct buffer *body, uint64_t ttl_ms); /* rounded up to whole seconds */
void etcd_request_lease(struct buffer *body, uint64_t lease);  /* keep alive, revoke */
void etcd_request_compaction(struct buffer *body, uint64_t revision);
void etcd_request_watch(struct buffer *body, struct slice prefix, struct slice key); /* all keys that begin with it */
void etcd_request_login(struct buffer *body, struct slice user, struct slice password);

#endif
