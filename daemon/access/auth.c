/* Who a session is, and what it may do. Without users everybody may do everything, and nothing here is asked but
 * whether there are any.
 *
 * Rights depend on the names of user and channel alone, and are looked at before anything else about the channel: so
 * the answer to who lacks one is the same whether the channel is there or not. What is more than the patterns say: a
 * connection has all rights on its own ephemeral channels, and everybody may put to a reply channel, whose name nobody
 * can guess. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/session/session_private.h"
#include "proto/name.h"

/* What a session has while it is a stranger, and once it is a user. */
struct login {
	struct session *session;
	struct user_proof proof;
	uint64_t since_us;        /* when it came */
	struct login *next, **at; /* in all->first_stranger; `at` is NULL: it is not */
};

static const char reply_channel_prefix[] = "_r.";

static bool is_reply_channel(struct slice channel)
{
	size_t len = sizeof(reply_channel_prefix) - 1;
	return channel.len >= len && memcmp(channel.bytes, reply_channel_prefix, len) == 0;
}

struct user *auth_user(const struct session *session)
{
	return session->login ? session->login->proof.user : NULL;
}

static bool lacks_login(const struct session *session)
{
	return users_exist(session->all->users) && !auth_user(session);
}

/* -- Strangers: those who have yet to shake hands or to say who they are; in the order in which they came -- */

/* NULL: no memory. */
static struct login *need_login(struct session *session)
{
	if (!session->login && (session->login = calloc(1, sizeof(*session->login))))
		*session->login = (struct login){.session = session, .since_us = loop_now_us(session->all->loop)};
	return session->login;
}

bool auth_begin(struct session *session)
{
	struct sessions *all = session->all;
	if (!lacks_login(session) && !stream_is_opening(&session->stream))
		return true;
	struct login *login = need_login(session);
	if (!login)
		return false;
	login->at = all->first_stranger ? all->strangers_end : &all->first_stranger;
	*login->at = login;
	all->strangers_end = &login->next;
	return true;
}

static void leave_strangers(struct sessions *all, struct login *login)
{
	if (!login->at)
		return;
	*login->at = login->next;
	if (login->next)
		login->next->at = login->at;
	else
		all->strangers_end = login->at;
	login->at = NULL;
	login->next = NULL;
}

/* It has become a user, or need not any more, or is at its end. */
static void end_stranger(struct session *session)
{
	if (!session->login)
		return;
	leave_strangers(session->all, session->login);
	if (auth_user(session))
		return;
	free(session->login);
	session->login = NULL;
}

void auth_end(struct session *session)
{
	if (auth_user(session)) {
		user_leave(auth_user(session));
		session->login->proof = (struct user_proof){.user = NULL};
	}
	end_stranger(session);
}

uint64_t session_strangers_deadline(const struct sessions *sessions)
{
	return sessions->first_stranger ? sessions->first_stranger->since_us + sessions->limits.max_login_ms * 1000
					: UINT64_MAX;
}

void session_end_strangers(struct sessions *sessions)
{
	uint64_t now_us = loop_now_us(sessions->loop);
	while (session_strangers_deadline(sessions) <= now_us) {
		struct session *session = sessions->first_stranger->session;
		bool is_late = lacks_login(session) || stream_is_opening(&session->stream);
		end_stranger(session);
		if (!is_late || !(stream_is_open(&session->stream) || stream_is_opening(&session->stream)))
			continue;
		log_seldom(&sessions->strangers_log, now_us,
			   "a connection is closed that has not said who it is in max_login_ms");
		session_end(session, ERROR_UNAUTHENTICATED,
			    "the connection is closed, as it has not done so in max_login_ms");
	}
}

/* -- hello -- */

struct search {
	const struct users *users;
	struct user_proof found;
};

static bool is_known(void *arg, const char *name)
{
	struct search *search = arg;
	search->found = users_by_certificate(search->users, name);
	return search->found.user != NULL;
}

/* By what the connection is, without a token. */
static struct user_proof identify(const struct session *session)
{
	struct search search = {.users = session->all->users};
	uint32_t uid;
	if (!stream_peer_is(&session->stream, is_known, &search) && stream_peer_uid(&session->stream, &uid))
		search.found = users_by_uid(session->all->users, uid);
	return search.found;
}

static bool refuse_hello(struct session *session, const struct message_request *request, enum error error,
			 const char *detail)
{
	char line[256], peer[128];
	answer_error(session, request->id, error, detail);
	stream_peer(&session->stream, peer, sizeof(peer));
	snprintf(line, sizeof(line), "a login from %s was refused: %s", peer, error_name(error));
	log_seldom(&session->all->logins_log, loop_now_us(session->all->loop), line);
	return false;
}

/* What the session has parked counts on this quota from now on. */
static void join_quota(struct session *session, struct core_quota *quota)
{
	struct core_event event = {.op = CORE_JOIN_QUOTA, .connection = session->connection, .quota = quota};
	broker_step(session->all->broker, &event);
}

bool auth_hello(struct session *session, const struct message_request *request)
{
	const struct users *users = session->all->users;
	bool has_token = message_has(request, MEMBER_TOKEN);
	const struct user *user = auth_user(session);
	if (!users_exist(users) || (user && !has_token))
		return true;
	struct user_proof proof = has_token ? users_by_token(users, request->token) : identify(session);
	if (!proof.user)
		return refuse_hello(session, request, ERROR_UNAUTHENTICATED, NULL);
	if (user)
		return proof.user == user || refuse_hello(session, request, ERROR_UNAUTHENTICATED,
							  "this connection is another user's already");
	if (!user_enter(proof.user))
		return refuse_hello(session, request, ERROR_OVERLOADED, "this user has max_connections connections");
	assert(session->login); /* others were closed when there began to be users */
	session->login->proof = proof;
	join_quota(session, user_quota(proof.user));
	end_stranger(session);
	return true;
}

enum error auth_as(struct session *session, bool has_token, struct slice token)
{
	const struct users *users = session->all->users;
	if (!users_exist(users))
		return ERROR_NONE;
	struct user_proof proof = has_token ? users_by_token(users, token) : identify(session);
	if (proof.user != auth_user(session)) {
		auth_end(session);
		join_quota(session, NULL);
		if (proof.user && !user_enter(proof.user))
			return ERROR_OVERLOADED;
	}
	if (!proof.user)
		return ERROR_UNAUTHENTICATED;
	if (!need_login(session)) {
		user_leave(proof.user);
		return ERROR_OVERLOADED;
	}
	session->login->proof = proof;
	join_quota(session, user_quota(proof.user));
	return ERROR_NONE;
}

void session_users_changed(struct sessions *sessions)
{
	for (struct session *session = sessions->first; session; session = session->next) {
		const struct user_proof *proof = auth_user(session) ? &session->login->proof : NULL;
		bool is_stranger = session->login && !proof, is_known_still;
		if (!stream_is_open(&session->stream) || is_stranger)
			continue;
		if (!proof)
			is_known_still = !users_exist(sessions->users);
		else
			is_known_still = proof->is_by_token ? users_still_know(sessions->users, proof)
							    : identify(session).user == proof->user;
		if (!is_known_still)
			session_end(session, ERROR_UNAUTHENTICATED,
				    "the connection is closed, as the daemon's users have changed");
	}
}

uint32_t auth_max_frame(const struct session *session)
{
	uint64_t max = session->all->limits.max_frame;
	return (uint32_t)(lacks_login(session) && max > STRANGER_FRAME_BYTES ? STRANGER_FRAME_BYTES : max);
}

/* -- Rights -- */

/* Whether it is an ephemeral channel that this user has created, on any connection. */
static bool is_own(const struct session *session, struct slice channel)
{
	const struct session *owner = core_owner(session->all->core, channel);
	return owner && auth_user(owner) == auth_user(session);
}

static bool has_right(const struct session *session, enum right right, struct slice channel)
{
	if (user_rights(auth_user(session), channel) & 1u << right)
		return true;
	return (right == RIGHT_PUT && is_reply_channel(channel)) || is_own(session, channel);
}

bool auth_may_see(const struct session *session, struct slice channel)
{
	return !auth_user(session) || has_right(session, RIGHT_OBSERVE, channel);
}

static bool deny(struct session *session, const struct message_request *request, enum right right, struct slice channel,
		 const char *where)
{
	char detail[NAME_MAX_BYTES + 64];
	snprintf(detail, sizeof(detail), "%s%s on \"%.*s\"", where, right_name(right), (int)channel.len, channel.bytes);
	struct answer answer = answer_begin_error(session, request->id, ERROR_DENIED, detail);
	message_string(answer.out, "right", slice_from(right_name(right)));
	message_string(answer.out, "channel", channel);
	answer_end(session, answer);
	return false;
}

static bool need(struct session *session, const struct message_request *request, enum right right, struct slice channel)
{
	return has_right(session, right, channel) || deny(session, request, right, channel, "");
}

static bool need_for_arms(struct session *session, const struct message_request *request)
{
	for (size_t i = 0; i < request->n_arms; i++) {
		const struct message_arm *arm = &request->arms[i];
		enum right right = arm->is_put ? RIGHT_PUT : RIGHT_TAKE;
		char where[32];
		if (has_right(session, right, arm->channel))
			continue;
		snprintf(where, sizeof(where), "arm %zu, ", i);
		return deny(session, request, right, arm->channel, where);
	}
	return true;
}

/* A channel without a name of its own that ends with its connection is everybody's right. What goes to a dead_letter
 * channel is put there.
 */
static bool need_for_create(struct session *session, const struct message_request *request)
{
	if (request->dead_letter.len && !need(session, request, RIGHT_PUT, request->dead_letter))
		return false;
	if (message_has(request, MEMBER_CHANNEL))
		return need(session, request, RIGHT_MANAGE, request->channel);
	return request->ephemeral || need(session, request, RIGHT_MANAGE, slice_from(reply_channel_prefix));
}

static bool has_rights(struct session *session, const struct message_request *request)
{
	switch (request->op) {
	case OP_CREATE:
		return need_for_create(session, request);
	case OP_ALTER:
		return need_for_create(session, request);
	case OP_CLOSE:
	case OP_DELETE:
		return need(session, request, RIGHT_MANAGE, request->channel);
	case OP_PUT:
		return need(session, request, RIGHT_PUT, request->channel);
	case OP_TAKE:
		return need(session, request, RIGHT_TAKE, request->channel);
	case OP_LEASES: /* without a channel, only those of channels that may be taken from are in the reply */
		return !message_has(request, MEMBER_CHANNEL) || need(session, request, RIGHT_TAKE, request->channel);
	case OP_MOVE: /* without `to`, each value's origin is asked for as it is moved */
		return need(session, request, RIGHT_TAKE, request->from) &&
		       (!message_has(request, MEMBER_TO) || need(session, request, RIGHT_PUT, request->to));
	case OP_ALTS:
		return need_for_arms(session, request);
	case OP_PEEK:
	case OP_STAT:
		return need(session, request, RIGHT_OBSERVE, request->channel);
	case OP_WAITERS: /* without a channel, and list: only what may be seen is in the reply */
		return !message_has(request, MEMBER_CHANNEL) || need(session, request, RIGHT_OBSERVE, request->channel);
	case OP_LIST:
	case OP_HELLO:
	case OP_PING:
	case OP_CANCEL: /* its own requests alone */
	case OP_ACK:    /* who knows a lease's token was given it */
	case OP_NACK:
	case OP_EXTEND:
	case OP_NONE:
	case OP_COUNT:
		break;
	}
	return true;
}

/* -- Limits -- */

/* What ends something, or keeps a connection, is never refused. */
static bool is_counted(enum message_op op)
{
	switch (op) {
	case OP_HELLO:
	case OP_PING:
	case OP_CANCEL:
	case OP_ACK:
	case OP_NACK:
	case OP_EXTEND:
		return false;
	case OP_CREATE:
	case OP_CLOSE:
	case OP_DELETE:
	case OP_ALTER:
	case OP_PUT:
	case OP_TAKE:
	case OP_ALTS:
	case OP_LEASES:
	case OP_MOVE:
	case OP_PEEK:
	case OP_LIST:
	case OP_STAT:
	case OP_WAITERS:
	case OP_NONE:
	case OP_COUNT:
		break;
	}
	return true;
}

static void overload(struct session *session, const struct message_request *request, const char *limit,
		     uint64_t retry_ms)
{
	char detail[NAME_MAX_BYTES + 64];
	bool has_id = request->id != MESSAGE_NO_ID;
	snprintf(detail, sizeof(detail), "%s of user \"%s\"", limit, user_name(auth_user(session)));
	struct answer answer = answer_begin_error(session, request->id, ERROR_OVERLOADED, detail);
	if (retry_ms > 0)
		message_uint(answer.out, "retry_ms", retry_ms);
	if (!has_id)
		message_string(answer.out, "channel", request->channel);
	answer_end(session, answer);
}

static uint64_t bytes_to_put(const struct message_request *request)
{
	uint64_t bytes = request->op == OP_PUT ? request->value.len : 0;
	for (size_t i = 0; i < request->n_values; i++)
		bytes += request->values[i].len;
	for (size_t i = 0; i < request->n_arms; i++)
		bytes += request->arms[i].is_put ? request->arms[i].value.len : 0;
	return bytes;
}

bool auth_admits(struct session *session, const struct message_request *request)
{
	struct user *user = auth_user(session);
	uint64_t retry_ms;
	if (!users_exist(session->all->users) || request->op == OP_HELLO || request->op == OP_PING)
		return true;
	if (!user) {
		struct slice channel = request->id == MESSAGE_NO_ID ? request->channel : SLICE("");
		session_refuse(session, request->id, ERROR_UNAUTHENTICATED, channel);
		return false;
	}
	if (is_counted(request->op) && !user_may_ask(user, loop_now_us(session->all->loop), &retry_ms)) {
		overload(session, request, "max_requests_per_s", retry_ms);
		return false;
	}
	if (!has_rights(session, request))
		return false;
	if ((request->op == OP_PUT || request->op == OP_ALTS) && !user_has_room(user, bytes_to_put(request))) {
		overload(session, request, "max_memory", 0);
		return false;
	}
	return true;
}

struct value_account *auth_account(const struct session *session)
{
	return auth_user(session) ? user_account(auth_user(session)) : NULL;
}
