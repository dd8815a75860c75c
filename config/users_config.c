#include "config/users_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/name.h"

static const char *const rights[] = {
	[RIGHT_PUT] = "put", [RIGHT_TAKE] = "take", [RIGHT_MANAGE] = "manage", [RIGHT_OBSERVE] = "observe"};

const char *right_name(enum right right)
{
	return (unsigned)right < RIGHT_COUNT ? rights[right] : "no right";
}

/* -- Life -- */

static void texts_finish(struct config_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		free(texts->items[i]);
	free(texts->items);
	*texts = (struct config_texts){NULL, 0};
}

static void user_finish(struct config_user *user)
{
	free(user->name);
	free(user->tokens);
	free(user->uids);
	texts_finish(&user->certificates);
	for (int i = 0; i < RIGHT_COUNT; i++)
		texts_finish(&user->rights[i]);
}

void users_config_drop(struct config *config)
{
	for (size_t i = 0; i < config->n_users; i++)
		user_finish(&config->users[i]);
	free(config->users);
	config->users = NULL;
	config->n_users = 0;
}

static int texts_copy(struct config_texts *to, const struct config_texts *from)
{
	*to = (struct config_texts){calloc(from->n + 1, sizeof(*to->items)), 0};
	for (; to->items && to->n < from->n; to->n++)
		if (!(to->items[to->n] = strdup(from->items[to->n])))
			return -1;
	return to->items ? 0 : -1;
}

static void *array_copy(const void *from, size_t n, size_t size)
{
	void *to = calloc(n + 1, size);
	if (to && n > 0)
		memcpy(to, from, n * size);
	return to;
}

static int user_copy(struct config_user *to, const struct config_user *from)
{
	*to = *from;
	to->name = strdup(from->name);
	to->tokens = array_copy(from->tokens, from->n_tokens, sizeof(*from->tokens));
	to->uids = array_copy(from->uids, from->n_uids, sizeof(*from->uids));
	int result = to->name && to->tokens && to->uids ? 0 : -1;
	if (texts_copy(&to->certificates, &from->certificates) < 0)
		result = -1;
	for (int i = 0; i < RIGHT_COUNT; i++)
		if (texts_copy(&to->rights[i], &from->rights[i]) < 0)
			result = -1;
	return result;
}

int users_config_copy(struct config *to, const struct config *from)
{
	to->n_users = 0;
	to->users = calloc(from->n_users + 1, sizeof(*to->users));
	int result = to->users ? 0 : -1;
	while (result == 0 && to->n_users < from->n_users) {
		result = user_copy(&to->users[to->n_users], &from->users[to->n_users]);
		to->n_users++;
	}
	return result;
}

bool users_config_have_secrets(const struct config *config)
{
	for (size_t i = 0; i < config->n_users; i++)
		if (config->users[i].n_tokens > 0)
			return true;
	return false;
}

/* -- Lists: one thing, or several in brackets -- */

static int add_text(struct yaml_reader *reader, const yaml_node_t *node, const char *text, struct config_texts *texts)
{
	char **items = reallocarray(texts->items, texts->n + 1, sizeof(*items));
	char *copy = strdup(text);
	if (items)
		texts->items = items;
	if (!items || !copy) {
		free(copy);
		return yaml_refuse(reader, node, "no memory");
	}
	items[texts->n++] = copy;
	return 0;
}

/* -- Tokens -- */

static int digit_from(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool parse_hex(const char *text, uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high = digit_from(text[2 * i]), low = high < 0 ? -1 : digit_from(text[2 * i + 1]);
		if (low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static int read_token(struct yaml_reader *reader, const yaml_node_t *node, void *into)
{
	static const char scheme[] = "sha256:", expected[] = "expected sha256:SALT:HASH, as `millrace token` prints it";
	enum {
		SALT = sizeof(scheme) - 1,
		COLON = SALT + 2 * TOKEN_SALT_BYTES,
		HASH = COLON + 1,
		LENGTH = HASH + 2 * TOKEN_HASH_BYTES
	};
	struct config_user *user = into;
	struct config_token token;
	const char *text = yaml_text(reader, node, "sha256:SALT:HASH");
	if (!text)
		return -1;
	if (strncmp(text, "mrt_", 4) == 0) /* which is not quoted: it is a secret */
		return yaml_refuse(reader, node, "a token itself; %s", expected);
	if (strlen(text) != LENGTH || strncmp(text, scheme, SALT) != 0 || text[COLON] != ':' ||
	    !parse_hex(text + SALT, token.salt, TOKEN_SALT_BYTES) ||
	    !parse_hex(text + HASH, token.hash, TOKEN_HASH_BYTES))
		return yaml_refuse(reader, node, "not a token's hash; %s", expected);
	struct config_token *tokens = reallocarray(user->tokens, user->n_tokens + 1, sizeof(*tokens));
	if (!tokens)
		return yaml_refuse(reader, node, "no memory");
	user->tokens = tokens;
	tokens[user->n_tokens++] = token;
	return 0;
}

static int read_tokens(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	(void)arg;
	return yaml_list(reader, node, 0, MAX_USER_ITEMS, "of them", read_token, into);
}

/* -- The other ways to be known -- */

static int read_certificate(struct yaml_reader *reader, const yaml_node_t *node, void *into)
{
	struct config_user *user = into;
	const char *text = yaml_text(reader, node, "a certificate's subject");
	if (!text)
		return -1;
	if (!strchr(text, '=') && strncmp(text, "DNS:", 4) != 0 && strncmp(text, "URI:", 4) != 0 &&
	    strncmp(text, "email:", 6) != 0)
		return yaml_refuse(reader, node,
				   "\"%.64s\" names no certificate; expected a whole subject (CN=worker,O=Example), or "
				   "DNS:, URI: or email: with a name",
				   text);
	return add_text(reader, node, text, &user->certificates);
}

static int read_certificates(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	(void)arg;
	return yaml_list(reader, node, 0, MAX_USER_ITEMS, "of them", read_certificate, into);
}

static int read_uid(struct yaml_reader *reader, const yaml_node_t *node, void *into)
{
	struct config_user *user = into;
	uint64_t number;
	if (yaml_number(reader, node, LIMIT_COUNT, 0, UINT32_MAX - 1, &number) < 0)
		return -1;
	uint32_t *uids = reallocarray(user->uids, user->n_uids + 1, sizeof(*uids));
	if (!uids)
		return yaml_refuse(reader, node, "no memory");
	user->uids = uids;
	uids[user->n_uids++] = (uint32_t)number;
	return 0;
}

static int read_uids(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	(void)arg;
	return yaml_list(reader, node, 0, MAX_USER_ITEMS, "of them", read_uid, into);
}

/* -- Rights and limits -- */

static int read_pattern(struct yaml_reader *reader, const yaml_node_t *node, void *into)
{
	const char *text = yaml_text(reader, node, "a pattern of channels' names");
	if (!text)
		return -1;
	if (text[0] == '\0' || strlen(text) > MESSAGE_MAX_GLOB_BYTES)
		return yaml_refuse(reader, node,
				   "\"%.64s\" is no pattern; expected 1 to %d bytes, such as jobs, \"jobs.*\" or \"*\"",
				   text, MESSAGE_MAX_GLOB_BYTES);
	return add_text(reader, node, text, into);
}

static int read_right(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config_user *user = into;
	return yaml_list(reader, node, 0, MAX_USER_ITEMS, "of them", read_pattern,
			 &user->rights[*(const enum right *)arg]);
}

struct user_limit {
	size_t offset;
	enum limit_unit unit;
	uint64_t highest;
};

static int read_limit(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	const struct user_limit *limit = arg;
	return yaml_number(reader, node, limit->unit, 1, limit->highest, (uint64_t *)((char *)into + limit->offset));
}

#define USER_RIGHT(word, which)                                                                                        \
	{                                                                                                              \
		word, read_right, &(const enum right)                                                                  \
		{                                                                                                      \
			which                                                                                          \
		}                                                                                                      \
	}
#define USER_LIMIT(field, unit, highest)                                                                               \
	{                                                                                                              \
#field, read_limit, &(const struct user_limit)                                                         \
		{                                                                                                      \
			offsetof(struct config_user, field), unit, highest                                             \
		}                                                                                                      \
	}

static const struct yaml_key keys[] = {
	{"token", read_tokens, NULL},
	{"certificate", read_certificates, NULL},
	{"uid", read_uids, NULL},
	USER_RIGHT("put", RIGHT_PUT),
	USER_RIGHT("take", RIGHT_TAKE),
	USER_RIGHT("manage", RIGHT_MANAGE),
	USER_RIGHT("observe", RIGHT_OBSERVE),
	USER_LIMIT(max_connections, LIMIT_COUNT, 1000000),
	USER_LIMIT(max_requests_per_s, LIMIT_COUNT, MAX_REQUESTS_PER_S),
	USER_LIMIT(max_inflight, LIMIT_COUNT, 1000000),
	USER_LIMIT(max_memory, LIMIT_BYTES, 1024 * GIB),
	USER_LIMIT(max_channels, LIMIT_COUNT, 10000000),
};

/* -- Users -- */

static int read_user(struct yaml_reader *reader, const yaml_node_t *key_node, const yaml_node_t *node,
		     struct config_user *user)
{
	const char *name = yaml_text(reader, key_node, "a user's name");
	if (!name)
		return -1;
	if (!name_is_valid(slice_from(name)))
		return yaml_refuse(reader, key_node,
				   "\"%.64s\" is not a user's name; expected 1 to 128 of A-Z a-z 0-9 . _ : { } - with "
				   "neither . nor - first",
				   name);
	if (!(user->name = strdup(name)))
		return yaml_refuse(reader, key_node, "no memory");
	if (yaml_mapping(reader, node, name, keys, sizeof(keys) / sizeof(keys[0]), user) < 0)
		return -1;
	if (user->n_tokens + user->certificates.n + user->n_uids == 0)
		return yaml_refuse(reader, key_node,
				   "user \"%.128s\" could never log in; expected a token, a certificate or a uid",
				   name);
	return 0;
}

int users_config_read(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config *config = into;
	const yaml_node_pair_t *pairs = NULL;
	size_t n = 0;
	(void)arg;
	if (yaml_pairs(reader, node, "users", &pairs, &n) < 0)
		return -1;
	if (n + config->n_users > MAX_USERS)
		return yaml_refuse(reader, node, "%zu users; expected at most %d", n + config->n_users, MAX_USERS);
	struct config_user *users = reallocarray(config->users, config->n_users + n + 1, sizeof(*users));
	if (!users)
		return yaml_refuse(reader, node, "no memory");
	config->users = users;
	for (size_t i = 0; i < n; i++) {
		struct config_user *user = &users[config->n_users++];
		*user = (struct config_user){.name = NULL};
		if (read_user(reader, yaml_node(reader, pairs[i].key), yaml_node(reader, pairs[i].value), user) < 0)
			return -1;
	}
	return 0;
}

/* -- What two users cannot both have, found by sorting -- */

struct claim {
	const struct config_user *user;
	char kind; /* the same bytes may be a name and a uid */
	const void *bytes;
	size_t len;
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return slice_compare((struct slice){x->bytes, x->len}, (struct slice){y->bytes, y->len});
}

static struct claim *add_claims(struct claim *claim, const struct config_user *user)
{
	*claim++ = (struct claim){user, 'n', user->name, strlen(user->name)};
	for (size_t i = 0; i < user->n_tokens; i++)
		*claim++ = (struct claim){user, 't', user->tokens[i].salt, TOKEN_SALT_BYTES};
	for (size_t i = 0; i < user->certificates.n; i++)
		*claim++ = (struct claim){user, 'c', user->certificates.items[i], strlen(user->certificates.items[i])};
	for (size_t i = 0; i < user->n_uids; i++)
		*claim++ = (struct claim){user, 'u', &user->uids[i], sizeof(user->uids[i])};
	return claim;
}

int users_config_check(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	size_t n = 0;
	for (size_t i = 0; i < config->n_users; i++)
		n += 1 + config->users[i].n_tokens + config->users[i].certificates.n + config->users[i].n_uids;
	struct claim *claims = calloc(n + 1, sizeof(*claims)), *end = claims;
	if (!claims) {
		snprintf(error, CONFIG_ERROR_BYTES, "no memory for the configuration");
		return -1;
	}
	for (size_t i = 0; i < config->n_users; i++)
		end = add_claims(end, &config->users[i]);
	qsort(claims, n, sizeof(*claims), compare_claims);
	int result = 0;
	for (size_t i = 1; i < n && result == 0; i++) {
		if (compare_claims(&claims[i - 1], &claims[i]) != 0)
			continue;
		const char *what = claims[i].kind == 'n'   ? "name"
				   : claims[i].kind == 't' ? "token"
				   : claims[i].kind == 'c' ? "certificate"
							   : "uid";
		snprintf(error, CONFIG_ERROR_BYTES,
			 "users: \"%.128s\" and \"%.128s\" have the same %s; expected each once",
			 claims[i - 1].user->name, claims[i].user->name, what);
		result = -1;
	}
	free(claims);
	return result;
}
