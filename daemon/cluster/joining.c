#include "daemon/cluster/joining.h"

#include <stdio.h>

#include "daemon/cluster/sooner.h"

enum {
	RETRY_US = 200 * 1000,
	HURRY_US = 50 * 1000,          /* to keep the lease alive, after there was no answer */
	REFUSED_US = 5 * 1000 * 1000,  /* after so long it is no trouble of the engine's that goes by itself */
	PATIENCE_US = 3 * 1000 * 1000, /* beside the lease that a run before this one may have left */
	KEEPALIVES = 3,                /* of a lease's time */
	DRIFT_PART = 16,               /* of the lease's time, by which clocks may differ in it */
};

static const char format_key[] = "format", format_value[] = "1";

static struct slice value_of(const struct joining *joining)
{
	return (struct slice){joining->value, joining->value_len};
}

static void end(struct joining *joining, bool is_lost, const char *why)
{
	joining->stage = JOINING_HAS_FAILED;
	joining->handlers.on_end(joining->handlers.arg, is_lost, why);
}

static void go_on(struct joining *joining, enum joining_stage stage)
{
	joining->stage = stage;
	joining->due_us = 0;
}

/* True: it has happened. Else the same stage is tried again, or it has ended. */
static bool is_done(struct joining *joining, const struct engine_answer *answer)
{
	joining->is_under_way = false;
	if (answer->result == ENGINE_DONE) {
		joining->refused_since_us = UINT64_MAX;
		joining->trouble[0] = '\0';
		return true;
	}
	joining->due_us = joining->now_us + RETRY_US;
	if (answer->result == ENGINE_UNKNOWN)
		joining->taken_since_us = UINT64_MAX; /* an engine that was away may have made leases longer */
	if (answer->result != ENGINE_REFUSED)
		joining->refused_since_us = UINT64_MAX;
	else if (joining->refused_since_us == UINT64_MAX)
		joining->refused_since_us = joining->now_us;
	if (answer->result != ENGINE_NOT_SO)
		snprintf(joining->trouble, sizeof(joining->trouble), "%s", engine_message(answer));
	if (joining->refused_since_us != UINT64_MAX && joining->now_us - joining->refused_since_us > REFUSED_US)
		end(joining, false, joining->trouble);
	return false;
}

/* -- Is it an engine that can be joined? -- */

static bool is_too_old(struct slice version)
{
	unsigned major, minor;
	char text[16];
	snprintf(text, sizeof(text), "%.*s", (int)version.len, version.bytes);
	return sscanf(text, "%u.%u", &major, &minor) == 2 && (major < 3 || (major == 3 && minor < 4));
}

static void on_status(void *arg, const struct engine_answer *answer)
{
	struct joining *joining = arg;
	char why[JOINING_TEXT_BYTES];
	if (!is_done(joining, answer))
		return;
	if (is_too_old(answer->version)) {
		snprintf(why, sizeof(why), "etcd is of version %.*s; it has to be 3.4 or newer",
			 (int)answer->version.len, answer->version.bytes);
		end(joining, false, why);
		return;
	}
	go_on(joining, JOINING_MAKES_FORMAT);
}

static void on_format_made(void *arg, const struct engine_answer *answer)
{
	struct joining *joining = arg;
	if (is_done(joining, answer) || answer->result == ENGINE_NOT_SO)
		go_on(joining, JOINING_READS_FORMAT);
}

static void make_format(struct joining *joining)
{
	const struct engine_compare compare = {.how = ENGINE_ABSENT, .key = SLICE(format_key)};
	const struct engine_write write = {.key = SLICE(format_key), .value = SLICE(format_value)};
	const struct engine_transaction transaction = {&compare, 1, &write, 1};
	joining->engine->calls->transact(joining->engine, joining, &transaction, on_format_made, joining);
}

static void on_format(void *arg, const struct engine_answer *answer)
{
	struct joining *joining = arg;
	if (!is_done(joining, answer))
		return;
	if (answer->n_rows == 1 && !slice_equal(answer->rows[0].value, SLICE(format_value))) {
		end(joining, false,
		    "the keys under this prefix are of another format: a newer version has written them, or the "
		    "prefix is somebody else's");
		return;
	}
	go_on(joining, answer->n_rows ? JOINING_LOOKS_FOR_NAME : JOINING_MAKES_FORMAT);
}

/* -- The name -- */

/* Another has the name, or a run before this one, whose lease has yet to end. */
static void wait_for_name(struct joining *joining, struct slice taken)
{
	char why[JOINING_TEXT_BYTES + 60];
	struct slice was = {joining->taken, joining->taken_len};
	struct cluster_member other = {0};
	if (joining->taken_since_us == UINT64_MAX || !slice_equal(was, taken))
		joining->taken_since_us = joining->now_us;
	joining->taken_len = taken.len < MEMBER_BYTES ? taken.len : MEMBER_BYTES;
	memcpy(joining->taken, taken.bytes, joining->taken_len);
	joining->due_us = joining->now_us + RETRY_US;
	member_read((struct slice){joining->taken, joining->taken_len}, &other);
	snprintf(joining->trouble, sizeof(joining->trouble), "a daemon of this name is in the cluster (%.*s)",
		 (int)(other.address.len < 200 ? other.address.len : 200),
		 other.address.len ? other.address.bytes : "");
	if (joining->now_us - joining->taken_since_us <= 2 * joining->ttl_ms * 1000 + PATIENCE_US)
		return;
	snprintf(why, sizeof(why), "%s, and stays: give this one another cluster.name", joining->trouble);
	end(joining, false, why);
}

static void is_in(struct joining *joining)
{
	go_on(joining, JOINED);
	joining->handlers.on_joined(joining->handlers.arg);
}

static void on_name(void *arg, const struct engine_answer *answer)
{
	struct joining *joining = arg;
	if (!is_done(joining, answer))
		return;
	const struct engine_row *row = answer->n_rows ? &answer->rows[0] : NULL;
	if (row && joining->lease && row->lease == joining->lease) {
		is_in(joining); /* by a call without an answer */
	} else if (row && joining->old_lease && row->lease == joining->old_lease) {
		go_on(joining, JOINING_ENDS_OLD_LEASE);
	} else if (row) {
		wait_for_name(joining, row->value);
	} else {
		if (joining->lease_is_doubtful)
			joining->lease = 0;
		go_on(joining, joining->lease ? JOINING_TAKES_NAME : JOINING_GETS_LEASE);
	}
}

static void on_old_lease_ended(void *arg, const struct engine_answer *answer)
{
	struct joining *joining = arg;
	is_done(joining, answer);
	if (joining->stage != JOINING_HAS_FAILED)
		joining->stage = JOINING_LOOKS_FOR_NAME;
}

static void kept_alive(struct joining *joining, uint64_t ttl_ms)
{
	if (ttl_ms == 0 || ttl_ms > joining->ttl_ms)
		ttl_ms = joining->ttl_ms;
	joining->sure_until_us = joining->asked_us + ttl_ms * 1000 - ttl_ms * 1000 / DRIFT_PART;
	joining->due_us = joining->asked_us + ttl_ms * 1000 / KEEPALIVES;
}

static void on_lease(void *arg, const struct engine_answer *answer)
{
	struct joining *joining = arg;
	if (!is_done(joining, answer))
		return;
	joining->lease = answer->lease;
	joining->lease_is_doubtful = false;
	kept_alive(joining, answer->ttl_ms);
	go_on(joining, JOINING_TAKES_NAME);
}

static void on_name_taken(void *arg, const struct engine_answer *answer)
{
	struct joining *joining = arg;
	if (is_done(joining, answer)) {
		is_in(joining);
		return;
	}
	if (joining->stage == JOINING_HAS_FAILED)
		return;
	/* Not so: another was faster, the lease has ended, or an earlier call without an answer has done it. */
	joining->lease_is_doubtful = answer->result == ENGINE_NOT_SO;
	joining->stage = JOINING_LOOKS_FOR_NAME;
}

static void take_name(struct joining *joining)
{
	const struct engine_compare compare = {.how = ENGINE_ABSENT, .key = key_slice(&joining->key)};
	const struct engine_write write = {
		.key = key_slice(&joining->key), .value = value_of(joining), .lease = joining->lease};
	const struct engine_transaction transaction = {&compare, 1, &write, 1};
	joining->engine->calls->transact(joining->engine, joining, &transaction, on_name_taken, joining);
}

/* -- Staying -- */

static void on_kept_alive(void *arg, const struct engine_answer *answer)
{
	struct joining *joining = arg;
	joining->is_under_way = false;
	switch (answer->result) {
	case ENGINE_DONE:
		joining->trouble[0] = '\0';
		kept_alive(joining, answer->ttl_ms);
		break;
	case ENGINE_NOT_SO:
		end(joining, true, "the lease has ended: the engine had not heard of this daemon for too long");
		break;
	case ENGINE_UNKNOWN:
	case ENGINE_REFUSED:
		snprintf(joining->trouble, sizeof(joining->trouble), "%s", engine_message(answer));
		joining->due_us = joining->now_us + HURRY_US;
		break;
	}
}

static void on_value_written(void *arg, const struct engine_answer *answer)
{
	struct joining *joining = arg;
	joining->is_under_way = false;
	if (answer->result == ENGINE_UNKNOWN || answer->result == ENGINE_REFUSED)
		joining->wants_value_written = true; /* not so: what is read there will tell */
}

/* Only while it is ours: another's is not there, since the lease would have ended. */
static void write_value(struct joining *joining)
{
	const struct engine_compare compare = {
		ENGINE_IS, key_slice(&joining->key), {joining->taken, joining->taken_len}};
	const struct engine_write write = {
		.key = key_slice(&joining->key), .value = value_of(joining), .lease = joining->lease};
	const struct engine_transaction transaction = {&compare, 1, &write, 1};
	joining->wants_value_written = false;
	joining->engine->calls->transact(joining->engine, joining, &transaction, on_value_written, joining);
}

void joining_set_value(struct joining *joining, struct slice value)
{
	if (joining->stage == JOINED) {
		memcpy(joining->taken, joining->value, joining->taken_len = joining->value_len);
		joining->wants_value_written = true;
	}
	memcpy(joining->value, value.bytes, joining->value_len = value.len);
}

void joining_look_at_key(struct joining *joining, struct slice value)
{
	struct cluster_member ours, is;
	if (joining->stage != JOINED)
		return;
	if (!member_read(value_of(joining), &ours) || !member_read(value, &is) || !mark_equal(ours.mark, is.mark))
		end(joining, true, "another daemon has taken this one for gone, or the lease has ended");
}

/* -- Life -- */

static void ask(struct joining *joining)
{
	const struct engine_calls *calls = joining->engine->calls;
	struct slice none = {0};
	joining->is_under_way = true;
	switch (joining->stage) {
	case JOINING_READS_STATUS:
		calls->status(joining->engine, joining, on_status, joining);
		break;
	case JOINING_MAKES_FORMAT:
		make_format(joining);
		break;
	case JOINING_READS_FORMAT:
		calls->range(joining->engine, joining, SLICE(format_key), none, 1, false, on_format, joining);
		break;
	case JOINING_LOOKS_FOR_NAME:
		calls->range(joining->engine, joining, key_slice(&joining->key), none, 1, false, on_name, joining);
		break;
	case JOINING_ENDS_OLD_LEASE:
		calls->revoke(joining->engine, joining, joining->old_lease, on_old_lease_ended, joining);
		break;
	case JOINING_GETS_LEASE:
		joining->asked_us = joining->now_us;
		calls->grant(joining->engine, joining, joining->ttl_ms, on_lease, joining);
		break;
	case JOINING_TAKES_NAME:
		take_name(joining);
		break;
	case JOINED:
		joining->asked_us = joining->now_us;
		calls->keep_alive(joining->engine, joining, joining->lease, on_kept_alive, joining);
		break;
	case JOINING_HAS_FAILED:
	case JOINING_HAS_LEFT:
		break;
	}
}

/* Those who ask had better ask others: while this daemon is not sure, they hear nothing. */
static uint64_t gives_up_us(const struct joining *joining)
{
	return joining->stage == JOINED ? joining->sure_until_us + joining->ttl_ms * 1000 / 2 : UINT64_MAX;
}

static uint64_t go_on_or_wait(struct joining *joining, uint64_t now_us)
{
	if (joining->is_under_way || joining->stage >= JOINING_HAS_FAILED)
		return UINT64_MAX;
	if (joining->stage == JOINED && joining->wants_value_written) {
		joining->is_under_way = true;
		write_value(joining);
		return UINT64_MAX;
	}
	if (joining->due_us > now_us)
		return joining->due_us;
	ask(joining);
	return UINT64_MAX;
}

uint64_t joining_tick(struct joining *joining, uint64_t now_us)
{
	joining->now_us = now_us;
	if (gives_up_us(joining) <= now_us)
		end(joining, true, "the engine has not answered for too long");
	uint64_t due_us = go_on_or_wait(joining, now_us), end_us = gives_up_us(joining);
	return sooner_us(due_us, end_us);
}

void joining_init(struct joining *joining, struct engine *engine, struct slice name, uint64_t ttl_ms,
		  const struct joining_handlers *handlers)
{
	*joining = (struct joining){.engine = engine,
				    .handlers = *handlers,
				    .key = key_of_member(name),
				    .ttl_ms = ttl_ms,
				    .refused_since_us = UINT64_MAX,
				    .taken_since_us = UINT64_MAX};
}

void joining_finish(struct joining *joining)
{
	if (joining->engine)
		joining->engine->calls->cancel_all(joining->engine, joining);
}

static void on_left(void *arg, const struct engine_answer *answer)
{
	(void)answer;
	((struct joining *)arg)->is_under_way = false;
}

void joining_leave(struct joining *joining)
{
	joining->engine->calls->cancel_all(joining->engine, joining);
	joining->is_under_way = joining->lease != 0;
	joining->sure_until_us = 0;
	joining->stage = JOINING_HAS_LEFT;
	if (joining->lease)
		joining->engine->calls->revoke(joining->engine, joining, joining->lease, on_left, joining);
}
