/* Users by name, in a list: there are few, and names are looked up at a reload alone.
 *
 * A token is found by its salt, which it begins with and which is no secret. All salts are compared, and one hash is
 * made and compared whether a salt was found or not, so that the time does not depend on what is wrong. */
#include "daemon/access/users.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/access/pattern_set.h"
#include "proto/name.h"

enum {
	ANSWERS = 64, /* of user_rights(): a power of two */
	TOKEN_MAX_BYTES = 4096,
	US_A_S = 1000000,
	CREDIT_A_REQUEST = 1000000, /* so that a microsecond of a rate is a whole number */
};

static const char token_prefix[] = "mrt_";
enum { PREFIX_BYTES = sizeof(token_prefix) - 1, TOKEN_BYTES = PREFIX_BYTES + 2 * TOKEN_SALT_BYTES + 1 + 64 };

struct known_rights {
	uint8_t len; /* 0: none */
	uint8_t rights;
	char name[NAME_MAX_BYTES];
};

struct user {
	struct user *next;
	char *name;
	const struct config_user *says; /* the configuration's; NULL: it has no such user any more */
	struct pattern_set *patterns;   /* of `says`, once a name was asked for */
	struct known_rights *answers;   /* ANSWERS of them, once one was asked */
	struct users *all;
	uint64_t n_connections;
	struct value_account account;
	struct core_quota quota;
	uint64_t credit; /* of requests, in millionths of one */
	uint64_t credit_at_us;
};

struct users {
	struct user *first;
	size_t n_known;   /* to the configuration */
	uint64_t n_tried; /* see users_patterns_tried() */
};

/* -- The configuration -- */

struct users *users_create(void)
{
	return calloc(1, sizeof(struct users));
}

static void user_destroy(struct user *user)
{
	pattern_set_destroy(user->patterns);
	free(user->answers);
	free(user->name);
	free(user);
}

/* Those whom nobody refers to any more. */
static void sweep(struct users *users)
{
	for (struct user **at = &users->first, *user; (user = *at);) {
		if (user->says || user->n_connections > 0 || user->account.n > 0 || user->quota.n_channels > 0) {
			at = &user->next;
			continue;
		}
		*at = user->next;
		user_destroy(user);
	}
}

void users_destroy(struct users *users)
{
	if (!users)
		return;
	for (struct user *user = users->first, *next; user; user = next) {
		next = user->next;
		assert(user->n_connections == 0 && user->account.n == 0 && user->quota.n_channels == 0);
		user_destroy(user);
	}
	free(users);
}

static struct user *find(const struct users *users, const char *name)
{
	struct user *user = users->first;
	while (user && strcmp(user->name, name) != 0)
		user = user->next;
	return user;
}

static int add(struct users *users, const char *name)
{
	struct user *user = calloc(1, sizeof(*user));
	if (!user || !(user->name = strdup(name))) {
		free(user);
		return -1;
	}
	user->all = users;
	user->next = users->first;
	users->first = user;
	return 0;
}

static void change(struct user *user, const struct config_user *says)
{
	user->says = says;
	pattern_set_destroy(user->patterns);
	user->patterns = NULL;
	free(user->answers);
	user->answers = NULL;
}

int users_apply(struct users *users, const struct config *config)
{
	for (size_t i = 0; i < config->n_users; i++) {
		if (!find(users, config->users[i].name) && add(users, config->users[i].name) < 0) {
			sweep(users);
			return -1;
		}
	}
	users->n_known = config->n_users;
	for (struct user *user = users->first; user; user = user->next)
		change(user, NULL);
	for (size_t i = 0; i < config->n_users; i++)
		change(find(users, config->users[i].name), &config->users[i]);
	sweep(users);
	return 0;
}

static uint32_t limit_or_none(uint64_t limit)
{
	return limit ? (uint32_t)limit : UINT32_MAX;
}

void users_set_quotas(struct users *users, struct broker *broker)
{
	for (struct user *user = users->first; user; user = user->next) {
		struct core_event event = {
			.op = CORE_SET_QUOTA,
			.quota = &user->quota,
			.quota_limits = {.max_parked = limit_or_none(user->says ? user->says->max_inflight : 0),
					 .max_channels = limit_or_none(user->says ? user->says->max_channels : 0)},
		};
		if (event.quota_limits.max_parked != user->quota.limits.max_parked ||
		    event.quota_limits.max_channels != user->quota.limits.max_channels)
			broker_step(broker, &event);
	}
}

bool users_exist(const struct users *users)
{
	return users && users->n_known > 0;
}

/* -- Tokens -- */

static int digit_from(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The salt that a token says it has; all zeroes if it is none. */
static void read_salt(struct slice token, uint8_t salt[TOKEN_SALT_BYTES])
{
	memset(salt, 0, TOKEN_SALT_BYTES);
	if (token.len != TOKEN_BYTES || memcmp(token.bytes, token_prefix, PREFIX_BYTES) != 0)
		return;
	for (size_t i = 0; i < TOKEN_SALT_BYTES; i++) {
		int high = digit_from(token.bytes[PREFIX_BYTES + 2 * i]),
		    low = digit_from(token.bytes[PREFIX_BYTES + 2 * i + 1]);
		salt[i] = high < 0 || low < 0 ? 0 : (uint8_t)(high << 4 | low);
	}
}

struct user_proof users_by_token(const struct users *users, struct slice token)
{
	static const struct config_token nobodys = {.salt = {0}};
	const struct config_token *candidate = &nobodys;
	const struct user *owner = NULL;
	uint8_t salt[TOKEN_SALT_BYTES], hash[TOKEN_HASH_BYTES];
	if (token.len > TOKEN_MAX_BYTES)
		token.len = TOKEN_MAX_BYTES;
	read_salt(token, salt);
	for (const struct user *user = users->first; user; user = user->next) {
		for (size_t i = 0; user->says && i < user->says->n_tokens; i++) {
			if (CRYPTO_memcmp(user->says->tokens[i].salt, salt, sizeof(salt)) != 0)
				continue;
			candidate = &user->says->tokens[i];
			owner = user;
		}
	}
	bool has_hash = SHA256((const unsigned char *)token.bytes, token.len, hash);
	bool fits = has_hash && CRYPTO_memcmp(hash, candidate->hash, sizeof(hash)) == 0;
	OPENSSL_cleanse(hash, sizeof(hash));
	if (!has_hash)
		ERR_clear_error(); /* no memory: nobody is let in by what was there before */
	if (!fits || !owner)
		return (struct user_proof){.user = NULL};
	return (struct user_proof){.user = (struct user *)owner, .is_by_token = true, .token = *candidate};
}

bool users_still_know(const struct users *users, const struct user_proof *proof)
{
	const struct config_user *says = proof->user->says;
	(void)users;
	for (size_t i = 0; says && i < says->n_tokens; i++)
		if (memcmp(&says->tokens[i], &proof->token, sizeof(proof->token)) == 0)
			return true;
	return false;
}

/* -- The other proofs -- */

struct user_proof users_by_certificate(const struct users *users, const char *name)
{
	for (struct user *user = users->first; user; user = user->next)
		for (size_t i = 0; user->says && i < user->says->certificates.n; i++)
			if (strcmp(user->says->certificates.items[i], name) == 0)
				return (struct user_proof){.user = user};
	return (struct user_proof){.user = NULL};
}

struct user_proof users_by_uid(const struct users *users, uint32_t uid)
{
	for (struct user *user = users->first; user; user = user->next)
		for (size_t i = 0; user->says && i < user->says->n_uids; i++)
			if (user->says->uids[i] == uid)
				return (struct user_proof){.user = user};
	return (struct user_proof){.user = NULL};
}

/* -- Rights -- */

const char *user_name(const struct user *user)
{
	return user->name;
}

/* The patterns of the configuration; NULL without memory. */
static const struct pattern_set *patterns_of(struct user *user)
{
	size_t n = 0;
	if (user->patterns)
		return user->patterns;
	for (int right = 0; right < RIGHT_COUNT; right++)
		n += user->says->rights[right].n;
	if (!(user->patterns = pattern_set_create(n)))
		return NULL;
	for (int right = 0; right < RIGHT_COUNT; right++)
		for (size_t i = 0; i < user->says->rights[right].n; i++)
			pattern_set_add(user->patterns, user->says->rights[right].items[i], 1u << right);
	pattern_set_sort(user->patterns);
	return user->patterns;
}

/* Without memory for the patterns the user may do nothing, until there is some. */
static unsigned resolve(struct user *user, struct slice channel)
{
	const struct pattern_set *patterns = user->says ? patterns_of(user) : NULL;
	return patterns ? pattern_set_rights(patterns, channel, &user->all->n_tried) : 0;
}

/* Where an answer is kept. Names that collide cost their own user a little time. */
static size_t place_of(struct slice channel)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < channel.len; i++)
		hash = (hash ^ (unsigned char)channel.bytes[i]) * 16777619u;
	return (hash ^ hash >> 16) & (ANSWERS - 1);
}

unsigned user_rights(struct user *user, struct slice channel)
{
	assert(channel.len <= NAME_MAX_BYTES);
	if (!user->answers && !(user->answers = calloc(ANSWERS, sizeof(*user->answers))))
		return resolve(user, channel);
	struct known_rights *answer = &user->answers[place_of(channel)];
	if (answer->len == channel.len && channel.len > 0 && memcmp(answer->name, channel.bytes, channel.len) == 0)
		return answer->rights;
	unsigned rights = resolve(user, channel);
	if (user->says && !user->patterns)
		return rights; /* for want of memory: not to be remembered */
	answer->len = (uint8_t)channel.len;
	answer->rights = (uint8_t)rights;
	memcpy(answer->name, channel.bytes, channel.len);
	return rights;
}

uint64_t users_patterns_tried(const struct users *users)
{
	return users->n_tried;
}

/* -- Limits -- */

bool user_enter(struct user *user)
{
	if (user->says && user->says->max_connections && user->n_connections >= user->says->max_connections)
		return false;
	user->n_connections++;
	return true;
}

void user_leave(struct user *user)
{
	assert(user->n_connections > 0);
	user->n_connections--;
}

/* There is credit for a second's worth of requests, and time gives back what they use up. */
bool user_may_ask(struct user *user, uint64_t now_us, uint64_t *retry_ms)
{
	uint64_t rate = user->says ? user->says->max_requests_per_s : 0;
	if (rate == 0)
		return true;
	uint64_t full = CREDIT_A_REQUEST * rate, passed_us = now_us - user->credit_at_us;
	user->credit_at_us = now_us;
	user->credit =
		passed_us >= US_A_S || user->credit + passed_us * rate > full ? full : user->credit + passed_us * rate;
	if (user->credit >= CREDIT_A_REQUEST) {
		user->credit -= CREDIT_A_REQUEST;
		return true;
	}
	uint64_t wait_us = (CREDIT_A_REQUEST - user->credit + rate - 1) / rate;
	*retry_ms = (wait_us + 999) / 1000;
	return false;
}

bool user_has_room(const struct user *user, uint64_t bytes)
{
	uint64_t max = user->says ? user->says->max_memory : 0;
	return max == 0 || user->account.bytes + bytes <= max;
}

struct value_account *user_account(struct user *user)
{
	return &user->account;
}

struct core_quota *user_quota(struct user *user)
{
	return &user->quota;
}

struct user *user_of_quota(const struct core_quota *quota)
{
	return (struct user *)((char *)(uintptr_t)quota - offsetof(struct user, quota));
}
