#include "daemon/session/sweeps.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/rows.h"
#include "daemon/session/frame_wire.h"
#include "daemon/session/login.h"
#include "proto/name.h"

enum {
	SWEEPS_AN_IDLE_TIME = 8,
	TURN_ENDS = 500, /* so many connections end in a turn */
	/* In a turn, after a reload of the users: */
	TURN_ARMS = 8000, /* whose rights are looked at anew */
	ARMS_A_ROW = 8,   /* likewise what it costs to look into rights, as many arms for what is a row elsewhere */
	TURN_TAPS = 1000, /* likewise */
	TURN_SUBSCRIPTIONS = 100, /* that end */
};

/* -- Strangers -- */

uint64_t session_strangers_deadline(const struct sessions *sessions)
{
	return sessions->first_stranger ? sessions->first_stranger->since_us + sessions->limits.max_login_ms * 1000
					: UINT64_MAX;
}

void session_end_strangers(struct sessions *sessions)
{
	uint64_t now_us = loop_now_us(sessions->loop);
	for (int n = 0; n < TURN_ENDS && session_strangers_deadline(sessions) <= now_us; n++) {
		struct session *session = sessions->first_stranger->session;
		bool is_late = session_lacks_login(session) || stream_is_opening(&session->stream);
		login_leave_strangers(session);
		if (!is_late || !session_is_served(session))
			continue;
		log_seldom(&sessions->strangers_log, now_us,
			   "a connection is closed that has not said who it is in max_login_ms");
		session_end(session, ERROR_UNAUTHENTICATED,
			    "the connection is closed, as it has not done so in max_login_ms");
	}
}

/* -- Idle ones -- */

uint64_t session_close_idle(struct sessions *sessions)
{
	uint64_t idle_us = sessions->limits.max_idle_ms * 1000, now_us = loop_now_us(sessions->loop),
		 next_us = now_us + idle_us;
	int n = 0;
	if (idle_us == 0)
		return UINT64_MAX;
	for (struct session *session = sessions->first; session; session = session->next) {
		if (session->wire != &session_frames || !stream_is_open(&session->stream) ||
		    core_is_engaged(session->connection) || stream_has_unsent(&session->stream))
			continue;
		if (session->heard_us + idle_us <= now_us) {
			if (++n > TURN_ENDS)
				return now_us;
			log_seldom(&sessions->idle_log, now_us,
				   "a connection is closed that has sent nothing for max_idle_ms");
			session_end(session, ERROR_OVERLOADED,
				    "the connection is closed, as it has sent nothing for max_idle_ms and waits for "
				    "nothing");
		} else if (session->heard_us + idle_us < next_us) {
			next_us = session->heard_us + idle_us;
		}
	}
	/* One sweep looks at all: not for each of them on its own. */
	return next_us - now_us < idle_us / SWEEPS_AN_IDLE_TIME ? now_us + idle_us / SWEEPS_AN_IDLE_TIME : next_us;
}

/* -- Users -- */

/* Whether a reload of the users leaves the session as it is. */
static bool may_stay(const struct session *session)
{
	if (session_user(session))
		return login_is_still_known(session);
	bool is_stranger = session->all->revocation.had_users; /* else it could do everything, and may have done so */
	return is_stranger || !users_exist(session->all->users);
}

/* What is found in a session to be ended. */
struct withdrawn {
	struct core_access *rows; /* channels of arms that are parked without a right */
	uint32_t n, room;
};

static int add(struct withdrawn *withdrawn, struct core_access access)
{
	if (withdrawn->n == withdrawn->room) {
		uint32_t room = withdrawn->room ? 2 * withdrawn->room : 16;
		struct core_access *grown = realloc(withdrawn->rows, room * sizeof(*grown));
		if (!grown)
			return -1;
		withdrawn->rows = grown;
		withdrawn->room = room;
	}
	withdrawn->rows[withdrawn->n++] = access;
	return 0;
}

/* Collects the arms of a session's parked requests for which its user has no right, until the turn has looked at
 * enough: then the rest has other turns. -1: no memory. */
static int collect_withdrawn(const struct session *session, struct withdrawn *withdrawn, uint32_t *n_arms)
{
	struct sessions *all = session->all;
	struct core_parked_arm arm = {.seq = all->revocation.after};
	uint64_t cost_before = session_rights_cost(all), done = 0;
	uint32_t n_before = *n_arms;
	all->revocation.after = 0;
	for (uint32_t n = 1; core_next_parked_arm(session->connection, &arm); n++) {
		if (arm.index == 0 && arm.list == 0 && done && *n_arms >= TURN_ARMS) {
			all->revocation.after = done;
			return 0;
		}
		bool may = arm.access.is_put ? session_may_put(session, arm.access.channel)
					     : session_may_take(session, arm.access.channel);
		if (!may && add(withdrawn, arm.access) < 0)
			return -1;
		*n_arms = n_before + n + (uint32_t)(session_rights_cost(all) - cost_before) * ARMS_A_ROW;
		done = arm.seq;
	}
	return 0;
}

/* What the session has parked, and may not do any more, ends. Without memory to find out what that is, the session
 * ends. Counts the arms that were looked at. */
static void revoke(struct session *session, uint32_t *n_arms)
{
	struct withdrawn withdrawn = {.rows = NULL};
	int result = collect_withdrawn(session, &withdrawn, n_arms);
	struct core_event event = {.op = CORE_REVOKE,
				   .connection = session->connection,
				   .revoked = withdrawn.rows,
				   .n_revoked = withdrawn.n};
	if (result < 0)
		session_end(session, ERROR_OVERLOADED,
			    "the connection is closed: no memory to look at its rights anew");
	else if (event.n_revoked > 0)
		broker_step(session->all->broker, &event);
	free(withdrawn.rows);
}

static void end_subscription(struct sessions *sessions, struct slice channel)
{
	struct core_event event = {.op = CORE_DELETE, .channel = channel, .force = true};
	if (core_owner_quota(sessions->core, channel)) /* else it has gone with one before */
		broker_step(sessions->broker, &event);
}

/* What is carried to a user's own channel from where the user may not take any more ends, with that channel. Those of
 * a turn are found first, and then deleted, since with a channel any number of taps may go. */
static void revoke_subscriptions(struct sessions *sessions)
{
	struct core_tap_row row = {.tap = NULL};
	char names[TURN_SUBSCRIPTIONS][NAME_MAX_BYTES];
	size_t lens[TURN_SUBSCRIPTIONS];
	int n = 0;
	bool are_more = true;
	uint64_t until = session_rights_cost(sessions) + TURN_TAPS;
	for (unsigned looks = 0; n < TURN_SUBSCRIPTIONS && session_rights_cost(sessions) + looks < until; looks++) {
		if (!(are_more = core_next_tap(sessions->core, sessions->revocation.taps_after, &row)))
			break;
		sessions->revocation.taps_after = row.seq;
		const struct core_quota *owner = core_owner_quota(sessions->core, row.to);
		if (!owner || auth_has_right(user_of_quota(owner), sessions->core, RIGHT_TAKE, row.from))
			continue;
		memcpy(names[n], row.to.bytes, row.to.len);
		lens[n++] = row.to.len;
	}
	sessions->revocation.ends_taps = are_more;
	for (int i = 0; i < n; i++)
		end_subscription(sessions, (struct slice){names[i], lens[i]});
}

/* The connections of users who are gone end before anything else. False: there are more, for other turns. */
static bool end_users(struct sessions *sessions)
{
	int n = 0;
	for (struct session *session = sessions->first; session; session = session->next) {
		if (session->number >= sessions->revocation.below || !stream_is_open(&session->stream) ||
		    may_stay(session))
			continue;
		if (n++ == TURN_ENDS)
			return false;
		session_end(session, ERROR_UNAUTHENTICATED,
			    "the connection is closed, as the daemon's users have changed");
	}
	sessions->revocation.ends_users = false;
	return true;
}

void session_users_changed(struct sessions *sessions, bool had_users)
{
	bool goes_on = sessions->revocation.ends_users; /* with what had begun before there were users, perhaps */
	sessions->revocation = (struct revocation){
		.below = sessions->last_number + 1,
		.ends_users = true,
		.ends_taps = true,
		.had_users = had_users && (!goes_on || sessions->revocation.had_users),
	};
	session_revoke_more(sessions);
}

/* What is parked, the highest number first. */
static void revoke_parked(struct sessions *sessions)
{
	struct revocation *revocation = &sessions->revocation;
	uint32_t n_arms = 0;
	struct session *session = sessions->first;
	for (; session && n_arms < TURN_ARMS; session = session->next) {
		if (session->number >= revocation->below)
			continue;
		if (session->number + 1 != revocation->below)
			revocation->after = 0; /* it was of one that has gone */
		revocation->below = session->number;
		if (stream_is_open(&session->stream) && session_user(session))
			revoke(session, &n_arms);
		if (revocation->after) {
			revocation->below++;
			return;
		}
	}
	if (!session)
		revocation->below = 0;
}

void session_revoke_more(struct sessions *sessions)
{
	if (sessions->revocation.ends_users && !end_users(sessions))
		return;
	if (sessions->revocation.ends_taps)
		revoke_subscriptions(sessions);
	if (sessions->revocation.below > 0)
		revoke_parked(sessions);
}

bool session_is_revoking(const struct sessions *sessions)
{
	return sessions->revocation.ends_users || sessions->revocation.ends_taps || sessions->revocation.below > 0;
}
