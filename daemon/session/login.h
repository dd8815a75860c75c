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

/* Gives a new session the time in which it has to shake hands, and to log in if there are users. False: no memory. */
bool login_begin(struct session *session);
/* The session is at its end. */
void login_end(struct session *session);

/* The session has become a user, or need not become one any more: nothing ends it for being a stranger. */
void login_leave_strangers(struct session *session);

/* The user that the session is; NULL: nobody, as until its hello, and always without users. */
struct user *session_user(const struct session *session);

/* Whether the session has yet to say who it is. */
bool session_lacks_login(const struct session *session);

/* The part of a hello that says who it is. False: it is refused, and *refusal says why. */
bool login_hello(struct session *session, const struct message_request *request, struct auth_refusal *refusal);

/* Makes the session, for one request, the user of this token, or else the one that its connection shows. No request of
 * it may be parked. ERROR_NONE; or why it may not ask, and the session is nobody's then. */
enum error login_as(struct session *session, bool has_token, struct slice token);

/* Whether the proof that the session gave would still be one. Only for a session that is a user. */
bool login_is_still_known(const struct session *session);

/* Whether the session may put to a channel of that name, take from it, look at it. */
bool session_may_put(const struct session *session, struct slice channel);
bool session_may_take(const struct session *session, struct slice channel);
bool session_may_see(const struct session *session, struct slice channel);

/* What looking into rights has cost so far, all of it together, in rows of a page: a user may have many patterns. */
uint64_t session_rights_cost(const struct sessions *sessions);

/* Whether the session may ask for that, as auth_admits() says. What a user's many patterns cost, for each of many arms,
 * counts towards the session's turn. */
bool session_may_ask(struct session *session, const struct message_request *request, struct auth_refusal *refusal);

/* How long a frame of the session may be: shorter while it is a stranger. */
uint32_t session_max_frame(const struct session *session);

/* The account on which the values count that the session puts. */
struct value_account *session_account(const struct session *session);

#endif
