/* Goes through all sessions, and ends those that have not done in time what they have to, or takes from them what they
 * wait for and have no right to any more. */
#ifndef MILLRACE_SESSION_SWEEPS_H
#define MILLRACE_SESSION_SWEEPS_H

#include "daemon/session/session.h"

/* Closes the connections that have not shaken hands in max_login_ms, or have not said hello where there are users.
 * session_strangers_deadline(): when there may be one. */
void session_end_strangers(struct sessions *sessions);
uint64_t session_strangers_deadline(const struct sessions *sessions);

/* Closes the connections of frames that have sent nothing for max_idle_ms, unless they have a parked request, a lease,
 * or output that is not read yet. Returns when to be called again; UINT64_MAX without such a limit. */
uint64_t session_close_idle(struct sessions *sessions);

/* After users_apply(): closes the connections whose users are gone, or known by something else now, and those that
 * could do without one until now (`had_users`: whether there were any before). What others have parked, and have no
 * right to any more, ends with `denied`. All this as far as this turn goes, and then by session_revoke_more(), as long
 * as session_is_revoking(). */
void session_users_changed(struct sessions *sessions, bool had_users);
void session_revoke_more(struct sessions *sessions);
bool session_is_revoking(const struct sessions *sessions);

#endif
