/* Requests to core events: a table, and one function for each op. */
#include "daemon/session/operations.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/access/token.h"
#include "daemon/core/rows.h"
#include "daemon/session/definition.h"
#include "daemon/session/login.h"
#include "daemon/session/moved.h"
#include "daemon/session/query.h"
#include "daemon/session/short_way.h"
#include "daemon/session/tap_match.h"
#include "proto/name.h"

enum {
	MAX_NAME_BYTES = 128,      /* of a connection, in hello */
	MAX_ENVELOPE_BYTES = 1024, /* what may stay in memory around a large value */
};

static const char server_name[] = "millraced/" MILLRACE_VERSION;

static struct core_event event_of(const struct session *session, const struct message_request *request, enum core_op op)
{
	return (struct core_event){
		.op = op,
		.connection = session->connection,
		.id = request->id,
		.channel = request->channel,
		.has_timeout = message_has(request, MEMBER_TIMEOUT_MS),
		.timeout_ms = request->timeout_ms,
		.lease_ms = request->lease_ms,
		.sticky = request->sticky,
	};
}

static_assert((int)STREAM_LEAD_BYTES >= (int)VALUE_LEAD_BYTES, "a value begins in front of a frame that was given");
static_assert((int)MESSAGE_MAX_MOVE == (int)CORE_MAX_MOVE, "a move is as large to both");
static_assert(MESSAGE_NO_ID == CORE_NO_ID, "a put without an id is the same to both");

/* -- The connection itself -- */

static int remember_name(struct session *session, struct slice name)
{
	char *copy = malloc(name.len + 1);
	if (!copy)
		return -1;
	memcpy(copy, name.bytes, name.len);
	copy[name.len] = '\0';
	free(session->name);
	session->name = copy;
	return 0;
}

/* What access/ does not allow. */
static void refuse(struct session *session, const struct message_request *request, const struct auth_refusal *refusal)
{
	struct answer answer = answer_begin_error(session, request->id, refusal->error, refusal->detail);
	bool is_nameless = request->id == CORE_NO_ID;
	if (refusal->error == ERROR_DENIED)
		message_string(answer.out, "right", slice_from(right_name(refusal->right)));
	if (refusal->retry_ms > 0)
		message_uint(answer.out, "retry_ms", refusal->retry_ms);
	if (refusal->error == ERROR_DENIED || is_nameless)
		message_string(answer.out, "channel", is_nameless ? request->channel : refusal->channel);
	answer_end(session, answer);
}

/* What came after the protocol's first version, sorted. */
static void write_features(struct buffer *out, const struct sessions *all)
{
	const struct {
		const char *name;
		bool is_there;
	} features[] = {{"alter", true},
			{"cluster", all->cluster != NULL},
			{"delayed_put", true},
			{"durable", all->broker->journal != NULL},
			{"leases", true},
			{"move", true},
			{"once", true},
			{"put_without_id", true},
			{"take_with_count", true},
			{"taps", true}};
	const char *mark = "[\"";
	message_key(out, "features");
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (!features[i].is_there)
			continue;
		buffer_append(out, mark, strlen(mark));
		buffer_append(out, features[i].name, strlen(features[i].name));
		mark = "\",\"";
	}
	buffer_append(out, "\"]", 2);
}

static void op_hello(struct session *session, const struct message_request *request)
{
	if (request->protocol != 1) {
		answer_error(session, request->id, ERROR_UNSUPPORTED_PROTOCOL, NULL);
		return;
	}
	if (request->name.len > MAX_NAME_BYTES ||
	    memchr(request->name.bytes ? request->name.bytes : "", '\0', request->name.len)) {
		answer_error(session, request->id, ERROR_BAD_REQUEST, "\"name\" has at most 128 bytes, and no NUL");
		return;
	}
	struct auth_refusal refusal;
	if (!login_hello(session, request, &refusal)) {
		refuse(session, request, &refusal);
		return;
	}
	if (request->name.len && remember_name(session, request->name) < 0) {
		answer_error(session, request->id, ERROR_OVERLOADED, NULL);
		return;
	}
	struct answer answer = answer_begin(session, request->id, STATUS_OK, 0);
	message_string(answer.out, "server", slice_from(server_name));
	message_uint(answer.out, "protocol", 1);
	message_raw(answer.out, "protocols", SLICE("[1]"));
	write_features(answer.out, session->all);
	message_uint(answer.out, "max_frame_bytes", session->all->limits.max_frame);
	message_uint(answer.out, "max_inflight", session->all->limits.max_inflight);
	if (session_user(session))
		message_string(answer.out, "user", slice_from(user_name(session_user(session))));
	answer_end(session, answer);
}

static void op_ping(struct session *session, const struct message_request *request)
{
	answer_end(session, answer_begin(session, request->id, STATUS_OK, 0));
}

/* -- Channels -- */

static void op_create(struct session *session, const struct message_request *request)
{
	struct core_event event = event_of(session, request, CORE_CREATE);
	char made_up[NAME_MAX_BYTES + 1];
	const char *wrong = definition_read(request, &event.definition);
	if (!wrong && event.definition.durable)
		wrong = definition_check_durable(session->all, &event.definition);
	if (!wrong && name_is_reserved(request->channel))
		wrong = "names that begin with '_' are the daemon's own";
	if (wrong) {
		answer_error(session, request->id, ERROR_BAD_CHANNEL, wrong);
		return;
	}
	if (!message_has(request, MEMBER_CHANNEL)) {
		int len = channel_make_up_name(made_up, "_r.", SLICE("default"));
		if (len < 0) {
			session_refuse(session, request->id, (enum error) - len, SLICE(""));
			return;
		}
		event.channel = (struct slice){made_up, (size_t)len};
	}
	broker_step(session->all->broker, &event);
}

static void op_close(struct session *session, const struct message_request *request)
{
	struct core_event event = event_of(session, request, CORE_CLOSE);
	broker_step(session->all->broker, &event);
}

static void op_delete(struct session *session, const struct message_request *request)
{
	struct core_event event = event_of(session, request, CORE_DELETE);
	event.force = request->force;
	broker_step(session->all->broker, &event);
}

static void op_alter(struct session *session, const struct message_request *request)
{
	struct core_event event = event_of(session, request, CORE_ALTER);
	bool is_there = core_definition_of(session->all->core, request->channel, &event.definition);
	if (!is_there && session_serves(session, request->channel)) {
		session_refuse(session, request->id, ERROR_NO_SUCH_CHANNEL, request->channel);
		return;
	}
	if (!is_there) /* the core says what is wrong with the groups */
		event.definition.dead_letter = request->dead_letter;
	const char *wrong = is_there ? definition_alter(request, &event.definition) : NULL;
	if (wrong)
		answer_error(session, request->id, ERROR_BAD_CHANNEL, wrong);
	else
		broker_step(session->all->broker, &event);
}

/* -- Taps -- */

/* The terms that need no channel. False: it is refused. */
static bool read_terms(struct session *session, const struct message_request *request, struct core_event *event)
{
	struct core_tap_terms *terms = &event->tap;
	char why[MATCH_DETAIL_BYTES];
	enum error error = ERROR_NONE;
	terms->to = request->to;
	terms->closes = request->close;
	if (message_has(request, MEMBER_STATE))
		terms->state = core_tap_state_from_name(request->state);
	const char *wrong = message_has(request, MEMBER_KIND) ? definition_read(request, &event->definition) : NULL;
	if (wrong) {
		answer_error(session, request->id, ERROR_BAD_CHANNEL, wrong);
		return false;
	}
	if (terms->state == CORE_TAP_STATES) {
		answer_error(session, request->id, ERROR_BAD_REQUEST,
			     "\"state\" is \"run\", \"pause\", \"mute\" or \"solo\"");
		return false;
	}
	if (message_has(request, MEMBER_MATCH) && !(terms->match = tap_match_create(request->match, &error, why))) {
		answer_error(session, request->id, error, why);
		return false;
	}
	return true;
}

/* The group of a channel; without a cluster there is one alone. */
static struct slice group_of(const struct session *session, struct slice channel)
{
	return session->all->cluster ? channel_group(channel) : SLICE("default");
}

/* A tap may concern all others: a circle is looked for among them, and one that is solo pauses those into its channel.
 */
static void count_tap(struct session *session)
{
	struct core_totals totals;
	core_totals(session->all->core, &totals);
	stream_count_work(&session->stream, (uint32_t)totals.taps * TAP_WORK_BYTES);
}

static void op_tap(struct session *session, const struct message_request *request)
{
	struct core_event event = event_of(session, request, CORE_TAP);
	char made_up[NAME_MAX_BYTES + 1];
	event.channel = request->from;
	count_tap(session);
	if (!read_terms(session, request, &event))
		return;
	if (!message_has(request, MEMBER_TO)) {
		int len = channel_make_up_name(made_up, "_t.", group_of(session, request->from));
		if (len < 0) {
			core_match_destroy(event.tap.match);
			session_refuse(session, request->id, (enum error) - len, request->from);
			return;
		}
		event.tap.to = (struct slice){made_up, (size_t)len};
		event.tap.creates_target = true;
		event.definition.ephemeral = true;
	}
	broker_step(session->all->broker, &event);
}

static void op_untap(struct session *session, const struct message_request *request)
{
	struct core_event event = event_of(session, request, CORE_UNTAP);
	event.channel = request->from;
	event.tap.to = request->to;
	count_tap(session);
	broker_step(session->all->broker, &event);
}

/* -- Values -- */

struct put_names {
	char channel[NAME_MAX_BYTES], producer[MESSAGE_MAX_PRODUCER_BYTES];
};

static struct slice copy_name(char *to, struct slice name)
{
	if (name.len)
		memcpy(to, name.bytes, name.len);
	return (struct slice){to, name.len};
}

/* A value that fills a frame for which memory was taken stays in that memory. NULL: it does not. What is written over
 * says where: `request` names from then on copies in *names. */
static struct value *keep_in_place(struct session *session, struct message_request *request, struct put_names *names)
{
	const struct slice value = request->value;
	if (request->channel.len > sizeof(names->channel) || request->producer.len > sizeof(names->producer))
		return NULL;
	char *block = stream_give_input(&session->stream, value.len + MAX_ENVELOPE_BYTES);
	if (!block)
		return NULL;
	request->channel = copy_name(names->channel, request->channel);
	request->producer = copy_name(names->producer, request->producer);
	return value_within(block, value.bytes, value.len, session_account(session));
}

static void put(struct session *session, const struct message_request *request, struct value_list values)
{
	struct core_event event = event_of(session, request, CORE_PUT);
	event.batch = message_has(request, MEMBER_VALUES);
	event.values = values;
	event.delay_ms = request->delay_ms;
	event.producer = request->producer;
	event.seq = request->seq;
	broker_step(session->all->broker, &event);
}

static bool put_in_place(struct session *session, const struct message_request *request)
{
	struct message_request copied = *request;
	struct put_names names;
	struct value *value = keep_in_place(session, &copied, &names);
	struct value_list values = {0};
	if (!value)
		return false;
	value_list_push(&values, value);
	put(session, &copied, values);
	return true;
}

static void op_put(struct session *session, const struct message_request *request)
{
	if (request->value.len >= VALUE_LARGE_BYTES && put_in_place(session, request))
		return;
	bool is_batch = message_has(request, MEMBER_VALUES);
	const struct slice *bytes = is_batch ? request->values : &request->value;
	struct value_list values = {0};
	if (is_batch)
		stream_count_work(&session->stream, (uint32_t)request->n_values * VALUE_WORK_BYTES);
	for (size_t i = 0, n = is_batch ? request->n_values : 1; i < n; i++) {
		struct value *value = value_create(bytes[i].bytes, bytes[i].len, session_account(session));
		if (!value) {
			value_list_clear(&values);
			session_refuse(session, request->id, ERROR_OVERLOADED, request->channel);
			return;
		}
		value_list_push(&values, value);
	}
	bool is_plain = !is_batch && request->delay_ms == 0 && request->producer.len == 0;
	if (!is_plain || !short_way_put(session, request, values.head))
		put(session, request, values);
}

static void op_take(struct session *session, const struct message_request *request)
{
	if (short_way_take(session, request))
		return;
	struct core_event event = event_of(session, request, CORE_TAKE);
	event.batch = message_has(request, MEMBER_MAX);
	event.max = event.batch ? (uint32_t)request->max : 1;
	event.count = (uint32_t)request->count;
	broker_step(session->all->broker, &event);
}

static void op_alts(struct session *session, const struct message_request *request)
{
	struct core_event event = event_of(session, request, CORE_ALTS);
	struct core_arm arms[MESSAGE_MAX_ARMS];
	uint32_t n = 0;
	for (; n < request->n_arms; n++) {
		const struct message_arm *arm = &request->arms[n];
		arms[n] = (struct core_arm){.channel = arm->channel};
		if (arm->is_put &&
		    !(arms[n].value = value_create(arm->value.bytes, arm->value.len, session_account(session))))
			break;
	}
	if (n < request->n_arms) {
		while (n--)
			value_destroy(arms[n].value);
		session_refuse(session, request->id, ERROR_OVERLOADED, SLICE(""));
		return;
	}
	event.arms = arms;
	event.n_arms = n;
	event.priority = request->priority;
	broker_step(session->all->broker, &event);
}

static void op_cancel(struct session *session, const struct message_request *request)
{
	struct core_event event = event_of(session, request, CORE_CANCEL);
	event.cancel_id = request->request;
	if (core_id_in_use(session->all->core, session->connection, request->request)) {
		broker_step(session->all->broker, &event);
		return;
	}
	char number[24];
	int len = snprintf(number, sizeof(number), "%llu", (unsigned long long)request->request);
	session_refuse(session, request->id, ERROR_NO_SUCH_REQUEST, (struct slice){number, (size_t)len});
}

/* ack, nack and extend. What is no token names no lease. */
static void step_lease(struct session *session, const struct message_request *request, enum core_op op)
{
	struct core_event event = event_of(session, request, op);
	event.delay_ms = request->delay_ms;
	event.is_uncounted = !request->counted;
	if (token_parse(request->lease, &event.token))
		broker_step(session->all->broker, &event);
	else
		session_refuse(session, request->id, ERROR_NO_SUCH_LEASE, SLICE(""));
}

static void op_ack(struct session *session, const struct message_request *request)
{
	step_lease(session, request, CORE_ACK);
}

static void op_nack(struct session *session, const struct message_request *request)
{
	step_lease(session, request, CORE_NACK);
}

static void op_extend(struct session *session, const struct message_request *request)
{
	step_lease(session, request, CORE_EXTEND);
}

static void op_move(struct session *session, const struct message_request *request)
{
	struct core_event event = event_of(session, request, CORE_MOVE);
	event.channel = request->from;
	event.to = request->to;
	event.max = (uint32_t)request->max;
	broker_step(session->all->broker, &event);
}

typedef void op_function(struct session *session, const struct message_request *request);

static op_function *const ops[OP_COUNT] = {
	[OP_HELLO] = op_hello,
	[OP_PING] = op_ping,
	[OP_CREATE] = op_create,
	[OP_CLOSE] = op_close,
	[OP_DELETE] = op_delete,
	[OP_PUT] = op_put,
	[OP_TAKE] = op_take,
	[OP_ALTS] = op_alts,
	[OP_CANCEL] = op_cancel,
	[OP_ACK] = op_ack,
	[OP_NACK] = op_nack,
	[OP_EXTEND] = op_extend,
	[OP_ALTER] = op_alter,
	[OP_LEASES] = session_leases,
	[OP_MOVE] = op_move,
	[OP_PEEK] = session_peek,
	[OP_LIST] = session_list,
	[OP_STAT] = session_stat,
	[OP_WAITERS] = session_waiters,
	[OP_TAP] = op_tap,
	[OP_UNTAP] = op_untap,
	[OP_TAPS] = session_taps,
	[OP_CLUSTER] = session_cluster,
};

/* Whether the op may answer with what is there in the core without a step of it. */
static bool is_view(enum message_op op)
{
	return op == OP_PEEK || op == OP_LIST || op == OP_STAT || op == OP_WAITERS || op == OP_LEASES ||
	       op == OP_ALTER || op == OP_TAPS;
}

static void carry_out(struct session *session, const struct message_request *request)
{
	struct auth_refusal refusal;
	if (core_id_in_use(session->all->core, session->connection, request->id))
		session_refuse(session, request->id, ERROR_DUPLICATE_ID, SLICE(""));
	else if (!session_may_ask(session, request, &refusal))
		refuse(session, request, &refusal);
	else if (is_view(request->op) && request->op != OP_ALTER && request->channel.len &&
		 !session_serves(session, request->channel))
		moved_answer(session, request->id, request->channel);
	else {
		if (is_view(request->op))
			session_hold_view(session);
		ops[request->op](session, request);
	}
}

void session_handle(struct session *session, const struct message_request *request)
{
	struct request_counts *counts = &session->all->counts;
	assert(session->connection && request->op < OP_COUNT && ops[request->op]);
	counts->op = request->op;
	counts->requests[request->op]++;
	carry_out(session, request);
	counts->op = OP_NONE;
}
