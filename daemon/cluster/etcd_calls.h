/* The etcd client within: a call's way from endpoint to endpoint until it is answered or its time is over, and the
 * login that calls wait for. etcd.h is for others. */
#ifndef MILLRACE_CLUSTER_ETCD_CALLS_H
#define MILLRACE_CLUSTER_ETCD_CALLS_H

#include "daemon/cluster/etcd.h"
#include "daemon/cluster/etcd_answers.h"
#include "daemon/cluster/etcd_http.h"
#include "daemon/core/list.h"

enum etcd_kind {
	ETCD_TRANSACT,
	ETCD_RANGE,
	ETCD_GRANT,
	ETCD_KEEP_ALIVE,
	ETCD_REVOKE,
	ETCD_COMPACT,
	ETCD_STATUS,
	ETCD_METRICS, /* the second half of a status, if the quota is not known yet */
	ETCD_LOGIN,
};

enum { ETCD_URL_BYTES = 512, ETCD_VERSION_BYTES = 32 };

struct etcd {
	struct engine engine;
	struct loop *loop;
	struct etcd_http *http;
	char *endpoints[ETCD_MAX_ENDPOINTS];
	unsigned n_endpoints;
	unsigned current; /* where calls begin: it has answered, or not been asked */
	char *prefix, *user, *password;
	uint64_t try_us, call_us;

	struct link calls; /* that have not ended, in the order in which they get their turn */
	struct link spare; /* made in advance: a call that cannot be made could not say so */
	loop_cb *on_call_timer;
	unsigned n_running;
	uint64_t n_calls;                 /* ever */
	char cluster[ETCD_CLUSTER_BYTES]; /* of what answered first; empty: nothing has yet */
	uint64_t quota_bytes;             /* 0: not known */
	bool has_asked_quota;

	struct etcd_call *login;      /* under way; or NULL */
	char token[ETCD_TOKEN_BYTES]; /* empty: none */
	uint64_t n_logins;

	struct link watches;
};

struct etcd_call {
	struct link link;
	struct etcd *etcd;
	struct loop_timer *timer;
	enum etcd_kind kind;
	enum { ETCD_WAITS, ETCD_PAUSES, ETCD_RUNS } state;
	void *owner;
	engine_cb *cb;
	void *arg;

	struct buffer body;
	struct buffer keys; /* range: key and end */
	size_t key_len, limit;
	bool keys_only;

	struct etcd_fetch *fetch;
	uint64_t deadline_us, number;
	unsigned endpoint, n_tries;
	unsigned n_refused_tokens;
	uint64_t login; /* how many logins there had been when it last ran */
	bool may_have_happened;
	char message[ETCD_MESSAGE_BYTES]; /* why the last try failed */
	struct engine_answer status;      /* of its first half */
	char version[ETCD_VERSION_BYTES];
};

/* etcd_call_life.c */
int etcd_calls_init(struct etcd *etcd); /* -1 without memory; etcd_calls_finish() is fine then */
void etcd_calls_finish(struct etcd *etcd);

/* Makes a call, whose body is to be written before it starts. */
struct etcd_call *etcd_call_create(struct etcd *etcd, enum etcd_kind kind, void *owner, engine_cb *cb, void *arg);
void etcd_call_write_range(struct etcd_call *call); /* its body, by its keys and limit */
void etcd_call_stop(struct etcd_call *call);        /* out of everything; its memory stays */
void etcd_call_recycle(struct etcd_call *call);

void etcd_calls_cancel(struct etcd *etcd, const void *owner); /* NULL: everybody's */

/* etcd_calls.c */
void etcd_call_start(struct etcd_call *call);
loop_cb etcd_on_call_timer;

/* Whether there is what a request needs to be let in; else it logs in, and it is time to wait a little. */
bool etcd_is_logged_in(struct etcd *etcd);

void etcd_url(const struct etcd *etcd, unsigned endpoint, const char *path, char to[ETCD_URL_BYTES]);
void etcd_endpoint_failed(struct etcd *etcd, unsigned endpoint); /* others are asked first from now on */

#endif
