#include "daemon/session/login.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct user *session_user(const struct session *session)
{
	return session->login ? session->login->proof.user : NULL;
}

bool session_lacks_login(const struct session *session)
{
	return users_exist(session->all->users) && !session_user(session);
}

/* -- Strangers: those who have yet to shake hands or to say who they are; in the order in which they came -- */

/* NULL: no memory. */
static struct login *need_login(struct session *session)
{
	if (!session->login && (session->login = calloc(1, sizeof(*session->login))))
		*session->login = (struct login){.session = session, .since_us = loop_now_us(session->all->loop)};
	return session->login;
}

bool login_begin(struct session *session)
{
	struct sessions *all = session->all;
	if (!session_lacks_login(session) && !stream_is_opening(&session->stream))
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

void login_leave_strangers(struct session *session)
{
	if (!session->login)
		return;
	leave_strangers(session->all, session->login);
	if (session_user(session))
		return;
	free(session->login);
	session->login = NULL;
}

void login_end(struct session *session)
{
	if (session_user(session)) {
		user_leave(session_user(session));
		session->login->proof = (struct user_proof){.user = NULL};
	}
	login_leave_strangers(session);
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

static bool refuse_hello(struct session *session, struct auth_refusal *refusal, enum error error, const char *detail)
{
	char line[256], peer[128];
	session->all->counts.refused_logins++;
	*refusal = (struct auth_refusal){.error = error};
	snprintf(refusal->detail, sizeof(refusal->detail), "%s", detail);
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

bool login_hello(struct session *session, const struct message_request *request, struct auth_refusal *refusal)
{
	const struct users *users = session->all->users;
	bool has_token = message_has(request, MEMBER_TOKEN);
	const struct user *user = session_user(session);
	if (!users_exist(users) || (user && !has_token))
		return true;
	struct user_proof proof = has_token ? users_by_token(users, request->token) : identify(session);
	if (!proof.user)
		return refuse_hello(session, refusal, ERROR_UNAUTHENTICATED, "");
	if (user)
		return proof.user == user || refuse_hello(session, refusal, ERROR_UNAUTHENTICATED,
							  "this connection is another user's already");
	if (!user_enter(proof.user))
		return refuse_hello(session, refusal, ERROR_OVERLOADED, "this user has max_connections connections");
	if (!need_login(session)) {
		user_leave(proof.user);
		return refuse_hello(session, refusal, ERROR_OVERLOADED, "no memory");
	}
	session->login->proof = proof;
	join_quota(session, user_quota(proof.user));
	login_leave_strangers(session);
	return true;
}

enum error login_as(struct session *session, bool has_token, struct slice token)
{
	const struct users *users = session->all->users;
	if (!users_exist(users))
		return ERROR_NONE;
	struct user_proof proof = has_token ? users_by_token(users, token) : identify(session);
	if (proof.user != session_user(session)) {
		login_end(session);
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

uint32_t session_max_frame(const struct session *session)
{
	uint64_t max = session->all->limits.max_frame;
	return (uint32_t)(session_lacks_login(session) && max > STRANGER_FRAME_BYTES ? STRANGER_FRAME_BYTES : max);
}

bool login_is_still_known(const struct session *session)
{
	const struct user_proof *proof = &session->login->proof;
	assert(proof->user);
	return proof->is_by_token ? users_still_know(session->all->users, proof)
				  : identify(session).user == proof->user;
}

static bool may(const struct session *session, enum right right, struct slice channel)
{
	struct user *user = session_user(session);
	return !user || auth_has_right(user, session->all->core, right, channel);
}

bool session_may_put(const struct session *session, struct slice channel)
{
	return may(session, RIGHT_PUT, channel);
}

bool session_may_take(const struct session *session, struct slice channel)
{
	return may(session, RIGHT_TAKE, channel);
}

bool session_may_see(const struct session *session, struct slice channel)
{
	return may(session, RIGHT_OBSERVE, channel);
}

uint64_t session_rights_cost(const struct sessions *sessions)
{
	return sessions->users ? users_patterns_tried(sessions->users) / PATTERNS_A_ROW : 0;
}

bool session_may_ask(struct session *session, const struct message_request *request, struct auth_refusal *refusal)
{
	struct sessions *all = session->all;
	if (!users_exist(all->users))
		return true;
	uint64_t cost_before = session_rights_cost(all);
	bool is_admitted = auth_admits(session_user(session), all->core, request, loop_now_us(all->loop), refusal);
	uint64_t rows = session_rights_cost(all) - cost_before;
	if (rows > 0)
		stream_count_work(&session->stream,
				  rows < TURN_ROWS ? (uint32_t)rows * ROW_WORK_BYTES : TURN_OUTPUT_BYTES + 1);
	return is_admitted;
}

struct value_account *session_account(const struct session *session)
{
	struct user *user = session_user(session);
	struct value_account *account = user ? user_account(user) : &session->all->nobody;
	account->pool = &session->all->values;
	return account;
}
