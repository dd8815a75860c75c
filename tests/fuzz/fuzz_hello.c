/* Who somebody is, and what he may do: the first line is a token, of which there is one that is right; the second the
 * name of a channel; the third a pattern that is a right; the fourth a certificate's name. */
#include "daemon/access/users.h"
#include "proto/name.h"
#include "tests/fuzz/fuzz.h"

#define TOKEN "mrt_00112233445566778899aabbccddeeff_0000000000000000000000000000000000000000000000000000000000000001"

static struct config_token right_token = {
	.salt = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
	.hash = {0x91, 0x46, 0xaf, 0x80, 0xf9, 0x4b, 0x9f, 0x28, 0xf9, 0x6e, 0x6d, 0x99, 0x66, 0xcb, 0xa5, 0x50,
		 0x2d, 0x50, 0x3b, 0x16, 0xc2, 0x4f, 0x4a, 0x59, 0x07, 0x0d, 0x84, 0x87, 0x43, 0x78, 0xdc, 0x0e},
};

static struct slice next_line(const char **at, const char *end)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at)), *stop = newline ? newline : end;
	struct slice line = {*at, (size_t)(stop - *at)};
	*at = newline ? newline + 1 : end;
	return line;
}

static void check_token(const struct users *users, struct slice token)
{
	struct user_proof proof = users_by_token(users, token);
	fuzz_assert((proof.user != NULL) == slice_equal(token, SLICE(TOKEN)), "a token of %zu bytes", token.len);
	fuzz_assert(!proof.user || (proof.is_by_token && users_still_know(users, &proof)), "a proof of nothing");
}

static void check_rights(struct user *user, struct slice channel, const char *pattern)
{
	bool may = (pattern[0] == '_') == name_is_reserved(channel) && name_matches(channel, slice_from(pattern));
	for (int i = 0; i < 2; i++) /* the second time it is remembered */
		fuzz_assert(user_rights(user, channel) == (may ? 1u << RIGHT_TAKE : 0), "\"%.*s\" by \"%s\"",
			    (int)channel.len, channel.bytes, pattern);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size);
	const char *at = text, *end = text + size;
	struct slice token = next_line(&at, end), channel = next_line(&at, end), pattern = next_line(&at, end),
		     name = next_line(&at, end);
	char *patterns[] = {strndup(pattern.len ? pattern.bytes : "", pattern.len)},
	     *names[] = {(char[]){"CN=somebody"}};
	char *subject = strndup(name.len ? name.bytes : "", name.len);
	struct config_user user = {.name = (char[]){"u"},
				   .tokens = &right_token,
				   .n_tokens = 1,
				   .certificates = {names, 1},
				   .rights = {[RIGHT_TAKE] = {patterns, 1}}};
	struct config config = {.users = &user, .n_users = 1};
	struct users *users = users_create();
	fuzz_assert(users && users_apply(users, &config) == 0, "no memory");
	check_token(users, token);
	if (name_is_valid(channel))
		check_rights(users_by_token(users, SLICE(TOKEN)).user, channel, patterns[0]);
	fuzz_assert((users_by_certificate(users, subject).user != NULL) == (strcmp(subject, names[0]) == 0), "%s",
		    subject);
	fuzz_assert(!users_by_uid(users, 0).user, "nobody has a uid");
	users_destroy(users);
	free(subject);
	free(patterns[0]);
	free(text);
	return 0;
}
