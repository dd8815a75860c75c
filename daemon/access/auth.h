/* What a user may do: verdicts, and nothing else. Who asks answers.
 *
 * Rights depend on the names of user and channel alone, and are looked at before anything else about the channel: so
 * the verdict on who lacks one is the same whether the channel is there or not. What is more than the patterns say: a
 * user has all rights on the ephemeral channels of their own connections, and everybody may put to a reply channel,
 * whose name nobody can guess. */
#ifndef MILLRACE_ACCESS_AUTH_H
#define MILLRACE_ACCESS_AUTH_H

#include "daemon/access/users.h"
#include "proto/message.h"

enum { AUTH_SUBJECT_BYTES = NAME_MAX_BYTES + 1 };

/* Rights on a group of a cluster are those on a channel whose name is the group's in braces: that name, written to
 * `subject`. */
struct slice auth_group_subject(struct slice group, char subject[AUTH_SUBJECT_BYTES]);

/* Why a request is refused. */
struct auth_refusal {
	enum error error;
	enum right right;                 /* with ERROR_DENIED: the one that is lacking */
	struct slice channel;             /* with ERROR_DENIED: where; else empty */
	uint64_t retry_ms;                /* with ERROR_OVERLOADED: when it may be tried again; 0: nobody knows */
	char detail[NAME_MAX_BYTES + 96]; /* for people; "": the error says it all */
	char subject[AUTH_SUBJECT_BYTES]; /* the memory of `channel`, where that is no channel */
};

/* Whether the request may be carried out for this user (NULL: nobody yet). Only asked where there are users. False:
 * *refusal says why. A request that is admitted counts towards max_requests_per_s. */
bool auth_admits(struct user *user, const struct core *core, const struct message_request *request, uint64_t now_us,
		 struct auth_refusal *refusal);

/* Whether the user has that right on a channel of that name. */
bool auth_has_right(struct user *user, const struct core *core, enum right right, struct slice channel);

#endif
