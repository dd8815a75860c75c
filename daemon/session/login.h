/* Who a session is. Without users it is nobody, and may do everything; with users it is a stranger until it has said
 * who it is: a session of frames once, by hello; one of HTTP with each request. */
#ifndef MILLRACE_SESSION_LOGIN_H
#define MILLRACE_SESSION_LOGIN_H

#include "daemon/access/auth.h"
#include "daemon/session/session.h"

/* What a session has while it is a stranger, and once it is a user. */
struct login {
	struct session *session;
	struct user_proof proof;
	uint64_t since_us;        /* when it came */
	struct login *next, **at; /* in all->first_stranger; `at` is NULL: it is not */
};

/* A new session has a time in which to shake hands, and to log in if there are users. False: no memory. */
bool login_begin(struct session *session);
/* The session is at its end. */
void login_end(struct session *session);

/* It has become a user, or need not become one any more: nothing ends it for being a stranger. */
void login_leave_strangers(struct session *session);

/* Who it is; NULL: nobody, until its hello, and without users always. */
struct user *session_user(const struct session *session);

/* Whether it has yet to say who it is. */
bool session_lacks_login(const struct session *session);

/* The part of a hello that says who it is. False: it is refused, and *refusal says why. */
bool login_hello(struct session *session, const struct message_request *request, struct auth_refusal *refusal);

/* Who asks with this request alone, by this token or else by what the connection is; nobody must be parked. ERROR_NONE,
 * or why it may not: then the session is nobody's. */
enum error login_as(struct session *session, bool has_token, struct slice token);

/* Whether the proof that it gave would still be one. Only of a session that is a user. */
bool login_is_still_known(const struct session *session);

/* Whether the session may look at channels of that name, or take from them. */
bool session_may_take(const struct session *session, struct slice channel);
bool session_may_see(const struct session *session, struct slice channel);

/* How long a frame may be: less from strangers. */
uint32_t session_max_frame(const struct session *session);

/* Towards which the values count that the session puts. */
struct value_account *session_account(const struct session *session);

#endif
