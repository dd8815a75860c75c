/* What a request means, by a reference that is as simple as can be: jansson says whether the text is JSON and what its
 * values are, the members are found by walking over the bytes, and the protocol's table stands here once more, in
 * words.
 */
#ifndef MILLRACE_TESTS_REQUEST_REFERENCE_H
#define MILLRACE_TESTS_REQUEST_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/slice.h"
#include "proto/status.h"

enum { REQUEST_CAP = 700, WORD_CAP = REQUEST_CAP + 32, REFERENCE_MAX_FOUND = 64, REFERENCE_N_NUMBERS = 10 };

/* A member. */
struct found {
	char name[REQUEST_CAP];
	struct slice raw;
	json_t *tree;
};

/* What the reference makes of a text. */
struct reference {
	struct found found[REFERENCE_MAX_FOUND];
	unsigned n;
	/* What may be told: the error, and words of which its detail has to have one; "" says that any will do. */
	enum error error;
	char told[REFERENCE_MAX_FOUND][WORD_CAP];
	unsigned n_told;
	int op; /* -1: none */
	bool has_id;
	uint64_t id;
};

/* Members that are whole numbers, and where struct message_request keeps them. */
extern const struct reference_number {
	const char *name;
	long long lowest, highest;
	size_t at;
} reference_numbers[REFERENCE_N_NUMBERS];

/* The text is terminated. False: jansson has an opinion of its own about it, as its numbers and names have limits. */
bool reference_read(struct reference *reference, const char *text, size_t len);
void reference_forget(struct reference *reference);

const char *reference_op(const struct reference *reference); /* of which there is one */
const struct found *reference_find(const struct reference *reference, const char *name);
bool reference_knows(const struct reference *reference, const char *name); /* whether its op has such a member */

json_t *reference_load(struct slice text);
bool is_among(const char *names, const char *name); /* names with blanks between them */

#endif
