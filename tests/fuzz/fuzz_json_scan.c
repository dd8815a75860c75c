/* The scanner beside jansson: both say yes, or both say no. The differences that are meant: what is nested deeper than
 * 128, numbers out of jansson's range, and NUL in the names of members, which jansson cannot hold. And a byte 0 outside
 * of a string, which no JSON has, ends the text for jansson. */
#include "proto/json_scan.h"

#include <jansson.h>

#include "tests/fuzz/fuzz.h"

/* Walks into everything, one level at a time, as a decoder does; the same bytes must be gone over. */
static void walk(struct json_scan *scan, unsigned depth)
{
	bool first = true;
	struct slice key, raw;
	fuzz_assert(depth <= JSON_MAX_DEPTH, "too deep");
	if (json_scan_enter(scan, '{')) {
		while (json_scan_member(scan, &first, &key)) {
			fuzz_assert(key.len >= 2 && key.bytes[0] == '"', "a name");
			walk(scan, depth + 1);
		}
	} else if (json_scan_enter(scan, '[')) {
		while (json_scan_element(scan, &first))
			walk(scan, depth + 1);
	} else {
		json_scan_value(scan, &raw);
	}
	fuzz_assert(!scan->error, "a valid text: %s", scan->error);
}

/* An unescaped string is what jansson makes of it, and no longer than it was. */
static void compare_text(struct slice raw, const json_t *tree)
{
	char *scratch = malloc(raw.len);
	struct slice text = json_scan_text(raw, scratch);
	fuzz_assert(text.len <= raw.len - 2, "it has grown");
	fuzz_assert(text.len == json_string_length(tree) && memcmp(text.bytes, json_string_value(tree), text.len) == 0,
		    "another text");
	free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(data, size);
	struct json_scan scan;
	struct slice raw;
	json_scan_init(&scan, copy, size);
	enum json_type type = json_scan_value(&scan, &raw);
	bool ours = type != JSON_TYPE_NONE && json_scan_at_end(&scan);
	fuzz_assert(scan.at >= copy && scan.at <= copy + size, "it went too far");
	fuzz_assert(ours == !scan.error || type != JSON_TYPE_NONE, "no reason is given");

	json_error_t error;
	json_t *tree = json_loadb(copy, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	enum json_error_code code = json_error_code(&error);
	bool excused = ours ? code == json_error_numeric_overflow || code == json_error_null_byte_in_key
			    : scan.too_deep || memchr(copy, '\0', size);
	fuzz_assert(ours == (tree != NULL) || excused, "we say %d, jansson: %s", ours, tree ? "good" : error.text);
	if (ours) {
		struct json_scan again;
		json_scan_init(&again, copy, size);
		walk(&again, 0);
		fuzz_assert(json_scan_at_end(&again), "a walk ends elsewhere");
		if (tree && type == JSON_TYPE_STRING)
			compare_text(raw, tree);
	}
	json_decref(tree);
	free(copy);
	return 0;
}
