/* Who may do what, and how much of it: the configuration's users, with what they use just now. A user lives for as long
 * as a session, a value or a channel refers to it, though the configuration may have forgotten it; a reload changes it
 * in place. One thread. For sessions and HTTP alike. */
#ifndef MILLRACE_ACCESS_USERS_H
#define MILLRACE_ACCESS_USERS_H

#include "config/config.h"
#include "daemon/broker/broker.h"
#include "proto/slice.h"

struct users;
struct user;

/* Who proved to be a user, and how: to be asked again after a reload. */
struct user_proof {
	struct user *user; /* NULL: nobody */
	bool is_by_token;
	struct config_token token; /* the configuration's, that the given one fits */
};

struct users *users_create(void);        /* without users; NULL without memory */
void users_destroy(struct users *users); /* all values and sessions are gone. NULL is fine */

/* Takes over what the configuration says, whose users have to stay until the next call. -1: no memory, and nothing has
 * changed. */
int users_apply(struct users *users, const struct config *config);

/* Then: tells the core how much each user may have parked and created now, where that has changed. */
void users_set_quotas(struct users *users, struct broker *broker);

/* Whether there are any: only then somebody has to be one. */
bool users_exist(const struct users *users);

/* -- Finding one; a proof without a user if there is none -- */

/* What is given may be anything. The time that it takes tells nothing about the secrets. */
struct user_proof users_by_token(const struct users *users, struct slice token);
struct user_proof users_by_certificate(const struct users *users, const char *name); /* see tls_peer_is() */
struct user_proof users_by_uid(const struct users *users, uint32_t uid);

/* Whether a proof by token is still one. */
bool users_still_know(const struct users *users, const struct user_proof *proof);

/* -- One of them -- */

const char *user_name(const struct user *user);

/* What the user may do on a channel of that name: 1u << enum right. Looked up among the last such answers. */
unsigned user_rights(struct user *user, struct slice channel);

/* How many patterns user_rights() has ever matched against names, byte by byte, of all users: what the answers have
 * cost, so that long ones count as several. */
uint64_t users_patterns_tried(const struct users *users);

/* Another connection; false: max_connections are there. */
bool user_enter(struct user *user);
void user_leave(struct user *user);

/* Whether another request may be carried out now. If not, *retry_ms says when it may. */
bool user_may_ask(struct user *user, uint64_t now_us, uint64_t *retry_ms);

/* Whether so many bytes more of values are within max_memory. */
bool user_has_room(const struct user *user, uint64_t bytes);

/* Towards which its values count, and its parked requests. */
struct value_account *user_account(struct user *user);
struct core_quota *user_quota(struct user *user);
struct user *user_of_quota(const struct core_quota *quota); /* the other way round */

#endif
