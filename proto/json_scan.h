/* A strict scanner of RFC 8259 JSON, in one pass: it validates, and gives raw slices. It builds nothing and allocates
 * nothing.
 *
 * It accepts exactly the texts that RFC 8259 allows, in valid UTF-8, \u escapes of surrogates only in pairs, numbers by
 * grammar and of any size, duplicate members inside a value, nested at most JSON_MAX_DEPTH deep ("[]" is 1 deep).
 */
#ifndef MILLRACE_PROTO_JSON_SCAN_H
#define MILLRACE_PROTO_JSON_SCAN_H

#include "proto/slice.h"

enum { JSON_MAX_DEPTH = 128 };

enum json_type {
	JSON_TYPE_NONE, /* not a value: an error, or nothing scanned yet */
	JSON_TYPE_NULL,
	JSON_TYPE_FALSE,
	JSON_TYPE_TRUE,
	JSON_TYPE_NUMBER,
	JSON_TYPE_STRING,
	JSON_TYPE_ARRAY,
	JSON_TYPE_OBJECT,
};

/* Where a scan stands. The input ends at `end`; nothing at or after it is read. Initialise by json_scan_init(). */
struct json_scan {
	const char *at;
	const char *end;
	const char *error; /* NULL, or what is wrong at `at`: static text for people */
	bool too_deep; /* the error is only that a value is nested deeper than JSON_MAX_DEPTH. Then `at` stands behind
			  that value (found by counting brackets), and who wants to see the rest may clear both and go
			  on */
};

void json_scan_init(struct json_scan *scan, const char *bytes, size_t len);

/* Skips white space; true if the input ends there. */
bool json_scan_at_end(struct json_scan *scan);

/* Skips white space, validates one whole value of any type, and sets *raw to its text without the white space around
 * it. Returns its type; JSON_TYPE_NONE on error. Strings' raw text includes their quotes. */
enum json_type json_scan_value(struct json_scan *scan, struct slice *raw);

/* Objects and arrays, walked one level at a time:
 *   if (json_scan_enter(scan, '{')) while (json_scan_member(scan, &first, &key)) json_scan_value(scan, &raw);
 *   if (json_scan_enter(scan, '[')) while (json_scan_element(scan, &first)) json_scan_value(scan, &raw);
 * `first` starts true. Both return false at the closing bracket (consumed) and on error: look at scan->error.
 * json_scan_enter returns false, and no error, if what comes is not that bracket. `key` is the raw text with its
 * quotes. */
bool json_scan_enter(struct json_scan *scan, char bracket);
bool json_scan_member(struct json_scan *scan, bool *first, struct slice *key);
bool json_scan_element(struct json_scan *scan, bool *first);

/* The text of a validated raw string, unescaped. Without escapes it is a slice of `raw` itself; else it is written to
 * `scratch`, which has room for raw.len bytes (scratch may be raw.bytes itself: the text only shrinks). */
struct slice json_scan_text(struct slice raw, char *scratch);

/* A validated raw number that is plain digits (no sign, fraction or exponent) and at most `max`: 0 and *out; else -1.
 */
int json_scan_uint(struct slice raw, unsigned long long max, unsigned long long *out);

#endif
