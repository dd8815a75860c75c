/* A tap's match beside a plain one over jansson's trees: the first line is the match, the rest a value. Numbers that
 * are not both integers are not compared: jansson rounds them. */
#include "proto/match.h"

#include <jansson.h>

#include "proto/json_scan.h"
#include "tests/fuzz/fuzz.h"

enum verdict { NO, YES, UNKNOWN };

static bool is_json(struct slice text)
{
	struct json_scan scan;
	struct slice raw;
	json_scan_init(&scan, text.bytes, text.len);
	json_scan_space(&scan);
	return json_scan_value(&scan, &raw) != JSON_TYPE_NONE && json_scan_at_end(&scan) && raw.len == text.len;
}

/* The next part of a pointer, unescaped into `to`; behind it. */
static const char *next_part(const char *at, char *to)
{
	for (at++; *at && *at != '/'; at++) {
		if (*at == '~')
			*to++ = *++at == '1' ? '/' : '~';
		else
			*to++ = *at;
	}
	*to = '\0';
	return at;
}

static const json_t *element(const json_t *array, const char *part)
{
	size_t n = strspn(part, "0123456789");
	if (n == 0 || part[n] || n > 9 || (part[0] == '0' && n > 1))
		return NULL;
	return json_array_get(array, (size_t)atol(part));
}

static const json_t *find(const json_t *tree, const char *pointer)
{
	char *part = malloc(strlen(pointer) + 1);
	while (tree && *pointer) {
		pointer = next_part(pointer, part);
		tree = json_is_object(tree)  ? json_object_get(tree, part)
		       : json_is_array(tree) ? element(tree, part)
					     : NULL;
	}
	free(part);
	return tree;
}

static enum verdict compare(const json_t *wanted, const json_t *found)
{
	if (!found)
		return NO;
	if (json_is_number(wanted) && json_is_number(found) && !(json_is_integer(wanted) && json_is_integer(found)))
		return UNKNOWN;
	return json_equal(wanted, found) ? YES : NO;
}

static enum verdict judge(json_t *match, const json_t *value)
{
	enum verdict verdict = YES;
	const char *pointer;
	json_t *wanted;
	json_object_foreach(match, pointer, wanted)
	{
		enum verdict one = compare(wanted, find(value, pointer));
		if (one == NO)
			return NO;
		verdict = one == UNKNOWN ? UNKNOWN : verdict;
	}
	return verdict;
}

static void check(const struct match *match, struct slice text, struct slice value)
{
	bool accepts = match_accepts(match, value);
	json_t *wanted = json_loadb(text.bytes, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	json_t *tree = json_loadb(value.bytes, value.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (wanted && tree) {
		enum verdict verdict = judge(wanted, tree);
		fuzz_assert(verdict == UNKNOWN || accepts == (verdict == YES), "we say %d", accepts);
	}
	json_decref(wanted);
	json_decref(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	if (!end)
		return 0;
	size_t len = (size_t)(end - data), rest = size - len - 1;
	char *first = fuzz_copy(data, len), *second = fuzz_copy(end + 1, rest), why[MATCH_DETAIL_BYTES] = "";
	struct slice text = {first, len}, value = {second, rest};
	bool lacks_memory;
	if (is_json(text) && is_json(value)) {
		struct match *match = match_compile(text, &lacks_memory, why);
		fuzz_assert(match || lacks_memory || why[0], "no reason is given");
		if (match)
			check(match, text, value);
		match_destroy(match);
	}
	free(first);
	free(second);
	return 0;
}
