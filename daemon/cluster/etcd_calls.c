/* Which try may have arrived decides what a call may say in the end: a transaction of which one try got no answer has
 * perhaps happened, whatever another says.
 *
 * Calls run from the loop alone, and callbacks come from there; a callback may make calls and cancel them. */
#define _GNU_SOURCE /* memmem */
#include "daemon/cluster/etcd_calls.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cluster/etcd_requests.h"

enum {
	MAX_RUNNING = 64, /* others wait for their turn */
	MAX_ANSWER_BYTES = 8 * 1024 * 1024,
	MAX_METRICS_BYTES = 4 * 1024 * 1024,
	PAUSE_US = 50000,  /* after all endpoints have failed */
	MAX_DOUBLINGS = 3, /* of how long a try may take: once a round */
	MAX_REFUSED_TOKENS = 3,
};

static const struct kind {
	const char *path;
	bool is_harmless; /* twice is as good as once */
} kinds[] = {
	[ETCD_TRANSACT] = {"/v3/kv/txn", false},
	[ETCD_RANGE] = {"/v3/kv/range", true},
	[ETCD_GRANT] = {"/v3/lease/grant", true}, /* the first one ends by itself */
	[ETCD_KEEP_ALIVE] = {"/v3/lease/keepalive", true},
	[ETCD_REVOKE] = {"/v3/lease/revoke", true},
	[ETCD_COMPACT] = {"/v3/kv/compaction", true},
	[ETCD_STATUS] = {"/v3/maintenance/status", true},
	[ETCD_METRICS] = {"/metrics", true},
	[ETCD_LOGIN] = {"/v3/auth/authenticate", true},
};

static void pump(struct etcd *etcd);

void etcd_call_start(struct etcd_call *call)
{
	struct etcd *etcd = call->etcd;
	uint64_t now_us = loop_now_us(etcd->loop);
	call->number = ++etcd->n_calls;
	call->endpoint = etcd->current;
	call->deadline_us = now_us + etcd->call_us;
	if (call->body.failed || call->keys.failed) {
		snprintf(call->message, sizeof(call->message), "no memory");
		call->deadline_us = now_us;
	}
	/* What keeps a lease alive is small, and must not wait. */
	bool is_urgent = call->kind == ETCD_KEEP_ALIVE || call->kind == ETCD_LOGIN;
	list_append(is_urgent ? etcd->calls.next : &etcd->calls, &call->link);
	loop_timer_set(call->timer, call->deadline_us);
	if (call->deadline_us > now_us)
		pump(etcd);
}

/* -- The end of a call -- */

static void end(struct etcd_call *call, const struct engine_answer *answer)
{
	struct etcd *etcd = call->etcd;
	etcd_call_stop(call);
	call->cb(call->arg, answer);
	etcd_call_recycle(call);
	pump(etcd);
}

static void end_with(struct etcd_call *call, enum engine_result result, bool is_full)
{
	if (call->may_have_happened && result != ENGINE_DONE)
		result = ENGINE_UNKNOWN;
	end(call, &(struct engine_answer){
			  .result = result,
			  .message = call->message[0] ? call->message : "no answer in time",
			  .is_full = is_full && result == ENGINE_REFUSED,
		  });
}

static void end_status(struct etcd_call *call)
{
	call->status.result = ENGINE_DONE;
	call->status.version = slice_from(call->version);
	call->status.quota_bytes = call->etcd->quota_bytes;
	struct engine_answer answer = call->status;
	end(call, &answer);
}

/* -- Tries -- */

void etcd_url(const struct etcd *etcd, unsigned endpoint, const char *path, char to[ETCD_URL_BYTES])
{
	snprintf(to, ETCD_URL_BYTES, "%s%s", etcd->endpoints[endpoint], path);
}

void etcd_endpoint_failed(struct etcd *etcd, unsigned endpoint)
{
	if (etcd->current != endpoint)
		return;
	etcd->current = (endpoint + 1) % etcd->n_endpoints;
	etcd->has_asked_quota = etcd->quota_bytes > 0;
}

/* The try has failed: the next endpoint's turn; after all of them, a pause. */
static void try_failed(struct etcd_call *call, const char *why, bool may_have_happened)
{
	struct etcd *etcd = call->etcd;
	char line[ETCD_MESSAGE_BYTES];
	snprintf(line, sizeof(line), "%.100s: %.150s", etcd->endpoints[call->endpoint], why);
	etcd_message_copy(call->message, slice_from(line));
	call->may_have_happened |= may_have_happened && !kinds[call->kind].is_harmless;
	etcd_endpoint_failed(etcd, call->endpoint);
	call->endpoint = (call->endpoint + 1) % etcd->n_endpoints;
	call->n_tries++;
	bool is_round = call->n_tries % etcd->n_endpoints == 0;
	call->state = is_round ? ETCD_PAUSES : ETCD_WAITS;
	if (is_round) {
		uint64_t until_us = loop_now_us(etcd->loop) + PAUSE_US;
		loop_timer_set(call->timer, until_us < call->deadline_us ? until_us : call->deadline_us);
	}
	pump(etcd);
}

static void again(struct etcd_call *call)
{
	call->state = ETCD_WAITS;
	pump(call->etcd);
}

void etcd_on_call_timer(void *arg)
{
	struct etcd_call *call = arg;
	if (loop_now_us(call->etcd->loop) >= call->deadline_us) {
		end_with(call, ENGINE_UNKNOWN, false);
		return;
	}
	loop_timer_set(call->timer, call->deadline_us);
	if (call->state == ETCD_PAUSES)
		again(call);
}

/* -- What was answered -- */

static void did_range(struct etcd_call *call, const struct etcd_answer *answer)
{
	struct slice keys = buffer_slice(&call->keys);
	struct etcd_asked asked = {
		.prefix = slice_from(call->etcd->prefix),
		.key = {keys.bytes, call->key_len},
		.end = {keys.bytes + call->key_len, keys.len - call->key_len},
		.limit = call->limit,
	};
	struct engine_answer done = {
		.result = ENGINE_DONE,
		.revision = answer->revision,
		.has_more = answer->has_more,
	};
	char wrong[ETCD_MESSAGE_BYTES] = "no memory for the rows";
	struct engine_row *rows = calloc(call->limit, sizeof(*rows));
	bool is_fine = rows && etcd_answer_rows(answer, &asked, rows, &done.n_rows, wrong) == 0;
	if (is_fine && done.has_more && done.n_rows == 0) {
		snprintf(wrong, sizeof(wrong), "this is no answer of etcd's: more rows, and none");
		is_fine = false;
	}
	done.rows = rows;
	if (is_fine)
		end(call, &done);
	else
		try_failed(call, wrong, false);
	free(rows);
}

static void did_lease(struct etcd_call *call, const struct etcd_answer *answer)
{
	if (call->kind == ETCD_GRANT && (!answer->lease || !answer->ttl_s)) {
		try_failed(call, "this is no answer of etcd's: no lease", false);
		return;
	}
	end(call, &(struct engine_answer){
			  .result = answer->ttl_s ? ENGINE_DONE : ENGINE_NOT_SO,
			  .message = "the lease is gone",
			  .revision = answer->revision,
			  .lease = answer->lease,
			  .ttl_ms = answer->ttl_s < UINT32_MAX ? answer->ttl_s * 1000 : UINT32_MAX,
		  });
}

static void did_status(struct etcd_call *call, const struct etcd_answer *answer)
{
	if (!answer->version.len) {
		try_failed(call, "this is no answer of etcd's: no version", false);
		return;
	}
	size_t len = answer->version.len < ETCD_VERSION_BYTES - 1 ? answer->version.len : ETCD_VERSION_BYTES - 1;
	char version[ETCD_MESSAGE_BYTES];
	etcd_message_copy(version, (struct slice){answer->version.bytes, len});
	memcpy(call->version, version, len + 1);
	call->status = (struct engine_answer){
		.revision = answer->revision,
		.used_bytes = answer->used_bytes,
		.is_full = answer->has_alarm,
	};
	if (call->etcd->has_asked_quota) {
		end_status(call);
		return;
	}
	call->etcd->has_asked_quota = true;
	call->kind = ETCD_METRICS;
	again(call);
}

static void did_login(struct etcd_call *call, const struct etcd_answer *answer)
{
	struct etcd *etcd = call->etcd;
	if (!answer->token.len || answer->token.len >= ETCD_TOKEN_BYTES ||
	    memchr(answer->token.bytes, '\n', answer->token.len) ||
	    memchr(answer->token.bytes, '\r', answer->token.len) ||
	    memchr(answer->token.bytes, '\0', answer->token.len)) {
		try_failed(call, "this is no answer of etcd's: no token", false);
		return;
	}
	memcpy(etcd->token, answer->token.bytes, answer->token.len);
	etcd->token[answer->token.len] = '\0';
	end(call, &(struct engine_answer){.result = ENGINE_DONE});
}

static void did(struct etcd_call *call, const struct etcd_answer *answer)
{
	switch (call->kind) {
	case ETCD_TRANSACT:
		if (!answer->succeeded) {
			snprintf(call->message, sizeof(call->message), "a comparison did not hold");
			end_with(call, ENGINE_NOT_SO, false);
			break;
		}
		/* fall through */
	case ETCD_REVOKE:
	case ETCD_COMPACT:
		end(call, &(struct engine_answer){.result = ENGINE_DONE, .revision = answer->revision});
		break;
	case ETCD_RANGE:
		did_range(call, answer);
		break;
	case ETCD_GRANT:
	case ETCD_KEEP_ALIVE:
		did_lease(call, answer);
		break;
	case ETCD_STATUS:
		did_status(call, answer);
		break;
	case ETCD_LOGIN:
		did_login(call, answer);
		break;
	case ETCD_METRICS:
		break;
	}
}

/* The token was refused, or there was none: another login, or a user who may not. */
static void wants_login(struct etcd_call *call)
{
	struct etcd *etcd = call->etcd;
	if (!etcd->user) {
		snprintf(call->message, sizeof(call->message), "etcd wants a user and a password");
		end_with(call, ENGINE_REFUSED, false);
	} else if (call->kind == ETCD_LOGIN || ++call->n_refused_tokens > MAX_REFUSED_TOKENS) {
		end_with(call, ENGINE_REFUSED, false);
	} else {
		if (call->login == etcd->n_logins)
			etcd->token[0] = '\0';
		again(call);
	}
}

static void read_answer(struct etcd_call *call, unsigned status, struct buffer *text)
{
	struct etcd *etcd = call->etcd;
	struct etcd_answer answer;
	etcd_answer_read(&answer, status, buffer_front(text), buffer_len(text));
	if (answer.cluster[0] && !etcd->cluster[0])
		memcpy(etcd->cluster, answer.cluster, sizeof(etcd->cluster));
	if (answer.cluster[0] && strcmp(answer.cluster, etcd->cluster) != 0) {
		try_failed(call, "it belongs to another cluster of etcd than the endpoint that answered first", true);
		return;
	}
	if (answer.verdict != ETCD_DID)
		memcpy(call->message, answer.message, sizeof(call->message));
	switch (answer.verdict) {
	case ETCD_DID:
		did(call, &answer);
		break;
	case ETCD_REFUSES:
	case ETCD_IS_FULL:
		end_with(call, ENGINE_REFUSED, answer.verdict == ETCD_IS_FULL);
		break;
	case ETCD_LACKS_LEASE:
		end_with(call, ENGINE_NOT_SO, false);
		break;
	case ETCD_WANTS_LOGIN:
		wants_login(call);
		break;
	case ETCD_IS_COMPACTED:
		end_with(call, call->kind == ETCD_COMPACT ? ENGINE_DONE : ENGINE_REFUSED, false);
		break;
	case ETCD_IS_UNSURE:
	case ETCD_IS_WRONG:
		try_failed(call, answer.message, true);
		break;
	}
}

/* How many rows to ask for, when as many as before were too long: half of those that had come. No more are counted than
 * were asked for: the answer may be full of them. */
static size_t smaller_page(const struct buffer *answer, size_t limit)
{
	static const char name[] = "\"key\":";
	const char *at = buffer_front(answer), *end = at ? at + buffer_len(answer) : NULL;
	size_t n = 0;
	for (; n < limit && at && (at = memmem(at, (size_t)(end - at), name, strlen(name))); at++)
		n++;
	return n / 2 > 0 ? n / 2 : 1;
}

static void on_fetched(void *arg, const struct etcd_fetched *fetched)
{
	struct etcd_call *call = arg;
	struct etcd *etcd = call->etcd;
	call->fetch = NULL;
	call->state = ETCD_WAITS;
	etcd->n_running--;
	bool is_answered = fetched->end == ETCD_FETCH_ANSWERED;
	if (call->kind == ETCD_METRICS) {
		if (is_answered && fetched->status == 200)
			etcd->quota_bytes = etcd_answer_quota(buffer_slice(fetched->answer));
		end_status(call);
	} else if (is_answered) {
		read_answer(call, fetched->status, fetched->answer);
	} else if (fetched->end == ETCD_FETCH_TOO_LONG && call->kind == ETCD_RANGE && call->limit > 1) {
		call->limit = smaller_page(fetched->answer, call->limit);
		etcd_call_write_range(call);
		again(call);
	} else {
		try_failed(call, fetched->message, fetched->end != ETCD_FETCH_NOT_SENT);
	}
}

static void try(struct etcd_call *call)
{
	struct etcd *etcd = call->etcd;
	char url[ETCD_URL_BYTES];
	unsigned round = call->n_tries / etcd->n_endpoints;
	bool is_metrics = call->kind == ETCD_METRICS;
	etcd_url(etcd, call->endpoint, kinds[call->kind].path, url);
	struct etcd_fetch_request request = {
		.url = url,
		.body = is_metrics ? (struct slice){0} : buffer_slice(&call->body),
		.authorization = etcd->token[0] && call->kind != ETCD_LOGIN ? etcd->token : NULL,
		.max_answer = is_metrics ? MAX_METRICS_BYTES : MAX_ANSWER_BYTES,
		.silence_us = etcd->try_us << (round < MAX_DOUBLINGS ? round : MAX_DOUBLINGS),
		.cb = on_fetched,
		.arg = call,
	};
	call->login = etcd->n_logins;
	call->fetch = etcd_http_fetch(etcd->http, &request);
	if (!call->fetch) {
		snprintf(call->message, sizeof(call->message), "no memory");
		call->state = ETCD_PAUSES;
		loop_timer_set(call->timer, loop_now_us(etcd->loop) + PAUSE_US);
		return;
	}
	call->state = ETCD_RUNS;
	etcd->n_running++;
}

/* -- Logging in -- */

/* The oldest call that waits, of those that were there before this number. */
static struct etcd_call *waiting_before(struct etcd *etcd, uint64_t number)
{
	for (struct link *link = etcd->calls.next; link != &etcd->calls; link = link->next) {
		struct etcd_call *call = LIST_ITEM(link, struct etcd_call, link);
		if (call->state == ETCD_WAITS && call->number < number)
			return call;
	}
	return NULL;
}

static void on_login(void *arg, const struct engine_answer *answer)
{
	struct etcd *etcd = arg;
	struct etcd_call *call;
	uint64_t number = etcd->n_calls + 1;
	etcd->n_logins++;
	char why[ETCD_MESSAGE_BYTES];
	snprintf(why, sizeof(why), "login: %.240s", answer->message ? answer->message : "");
	/* Callbacks may make new calls: another login is theirs, when all these have ended. */
	while (answer->result != ENGINE_DONE && (call = waiting_before(etcd, number))) {
		memcpy(call->message, why, sizeof(why));
		end_with(call, answer->result, false);
	}
	etcd->login = NULL;
}

bool etcd_is_logged_in(struct etcd *etcd)
{
	if (!etcd->user || etcd->token[0])
		return true;
	if (!etcd->login) {
		etcd->login = etcd_call_create(etcd, ETCD_LOGIN, etcd, on_login, etcd);
		etcd_request_login(&etcd->login->body, slice_from(etcd->user), slice_from(etcd->password));
		etcd_call_start(etcd->login);
	}
	return false;
}

/* Starts those that wait for their turn, as many as may run. */
static void pump(struct etcd *etcd)
{
	struct link *link = etcd->calls.next, *next;
	for (; link != &etcd->calls && etcd->n_running < MAX_RUNNING; link = next) {
		struct etcd_call *call = LIST_ITEM(link, struct etcd_call, link);
		next = link->next;
		if (call->state == ETCD_WAITS && !call->body.failed &&
		    (call->kind == ETCD_LOGIN || etcd_is_logged_in(etcd)))
			try(call);
	}
}
