/* millrace token: a new secret, and the hash of it that the daemon is given. No daemon is asked. */
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "client/cli/common/report.h"

enum {
	SALT_BYTES = 16,
	SECRET_BYTES = 32,
	TOKEN_ROOM = 4 + 2 * SALT_BYTES + 1 + 2 * SECRET_BYTES + 1,
};

static void write_hex(char *to, const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

static int run_token(const struct call *call)
{
	static const char *const forms[] = {[FORMAT_TEXT] = "%s\nsha256:%s:%s\n",
					    [FORMAT_JSON] = "{\"token\":\"%s\",\"hash\":\"sha256:%s:%s\"}\n",
					    [FORMAT_RAW] = "%s\nsha256:%s:%s\n"};
	unsigned char random[SALT_BYTES + SECRET_BYTES], digest[SHA256_DIGEST_LENGTH];
	char salt[2 * SALT_BYTES + 1], secret[2 * SECRET_BYTES + 1], hash[2 * SHA256_DIGEST_LENGTH + 1],
		token[TOKEN_ROOM];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return report(call, NULL, "the system has no randomness");
	write_hex(salt, random, SALT_BYTES);
	write_hex(secret, random + SALT_BYTES, SECRET_BYTES);
	snprintf(token, sizeof token, "mrt_%s_%s", salt, secret);
	if (!SHA256((const unsigned char *)token, strlen(token), digest))
		return report(call, NULL, "no memory");
	write_hex(hash, digest, sizeof digest);
	printf(forms[call->format], token, salt, hash);
	OPENSSL_cleanse(random, sizeof random);
	OPENSSL_cleanse(secret, sizeof secret);
	OPENSSL_cleanse(token, sizeof token);
	return EXIT_OK;
}

const struct command token_command = {
	.name = "token",
	.arguments = "",
	.summary = "make a token for a user of the daemon",
	.description =
		"Makes a token: a secret by which a user logs in. It prints two lines: the token, for the user "
		"($MILLRACE_TOKEN, or a file that $MILLRACE_TOKEN_FILE names), and what the daemon's configuration "
		"has of it (`users: {NAME: {token: ...}}`), from which the token cannot be found out. No daemon is "
		"asked. json prints {\"token\":TOKEN,\"hash\":HASH}.",
	.examples = "  millrace token\n"
		    "  millrace token -o json | jq -r .hash\n",
	.exits = EXIT_BIT(EXIT_OK) | EXIT_BIT(EXIT_ERROR) | EXIT_BIT(EXIT_USAGE),
	.run = run_token,
};
