/* A strict scanner of RFC 8259 JSON, in one pass: it validates, and gives raw slices. It builds nothing and allocates
 * nothing.
 *
 * It accepts exactly the texts that RFC 8259 allows, in valid UTF-8, \u escapes of surrogates only in pairs, numbers by
 * grammar and of any size, duplicate members inside a value, nested at most JSON_MAX_DEPTH deep ("[]" is 1 deep).
 */
#ifndef MILLRACE_PROTO_JSON_SCAN_H
#define MILLRACE_PROTO_JSON_SCAN_H

#include <stdint.h>

#include "proto/plain.h"
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
	const char *last_word; /* where the last eight bytes begin; NULL: there are fewer */
	const char *error;     /* NULL, or what is wrong at `at`: static text for people */
	bool too_deep; /* the error is only that a value is nested deeper than JSON_MAX_DEPTH. Then `at` stands behind
			  that value (found by counting brackets), and who wants to see the rest may clear both and go
			  on */
};

static inline void json_scan_init(struct json_scan *scan, const char *bytes, size_t len);

/* Skips white space; true if the input ends there. */
static inline bool json_scan_at_end(struct json_scan *scan);

/* Skips white space, validates one whole value of any type, and sets *raw to its text without the white space around
 * it. Returns its type; JSON_TYPE_NONE on error. Strings' raw text includes their quotes. */
static inline enum json_type json_scan_value(struct json_scan *scan, struct slice *raw);

/* Objects and arrays, walked one level at a time:
 *   if (json_scan_enter(scan, '{')) while (json_scan_member(scan, &first, &key)) json_scan_value(scan, &raw);
 *   if (json_scan_enter(scan, '[')) while (json_scan_element(scan, &first)) json_scan_value(scan, &raw);
 * `first` starts true. Both return false at the closing bracket (consumed) and on error: look at scan->error.
 * json_scan_enter returns false, and no error, if what comes is not that bracket. `key` is the raw text with its
 * quotes. */
bool json_scan_enter(struct json_scan *scan, char bracket);
static inline bool json_scan_member(struct json_scan *scan, bool *first, struct slice *key);
static inline bool json_scan_element(struct json_scan *scan, bool *first);

/* json_scan_member() in its two steps: whether another member comes, in front of whose name `at` then stands; and its
 * name with the colon behind it. */
static inline bool json_scan_another(struct json_scan *scan, bool *first);
bool json_scan_key(struct json_scan *scan, struct slice *key);

/* The text of a validated raw string, unescaped. Without escapes it is a slice of `raw` itself; else it is written to
 * `scratch`, which has room for raw.len bytes (scratch may be raw.bytes itself: the text only shrinks). */
struct slice json_scan_text(struct slice raw, char *scratch);

/* A text, such as a raw number, that is plain digits (no sign, fraction or exponent) and at most `max`: 0 and *out;
 * else -1. */
int json_scan_uint(struct slice raw, unsigned long long max, unsigned long long *out);

/* -- Inline: what nearly every item of an envelope is like -- */

static inline void json_scan_init(struct json_scan *scan, const char *bytes, size_t len)
{
	const char *at = bytes ? bytes : "";
	*scan = (struct json_scan){.at = at, .end = at + len, .last_word = len >= 8 ? at + len - 8 : NULL};
}

void json_scan_space(struct json_scan *scan);

static inline bool json_scan_at_end(struct json_scan *scan)
{
	if (scan->at < scan->end)
		json_scan_space(scan);
	return scan->at == scan->end;
}

enum json_type json_scan_any_value(struct json_scan *scan, struct slice *raw); /* the rest of json_scan_value() */
bool json_scan_item(struct json_scan *scan, bool *first, char closing); /* of json_scan_another() and _element() */

/* Eight bytes of the input, the first one lowest; those behind its end are zero. Only where it has at least eight,
 * which scan->last_word says. */
static inline uint64_t json_scan_word(const struct json_scan *scan, const char *at)
{
	if (at <= scan->last_word)
		return word_at(at);
	size_t missing = (size_t)(at - scan->last_word);
	return missing < 8 ? word_at(scan->last_word) >> (8 * missing) : 0;
}

const char *json_scan_string_rest(struct json_scan *scan, const char *at); /* of json_scan_string() */

/* Goes over a string, at whose opening quote `at` is. Returns where it ends; NULL: it is wrong, as the scan then says.
 * Only where the input has at least eight bytes. Most strings are short and plain: they end in the first word or the
 * second. */
static inline const char *json_scan_string(struct json_scan *scan, const char *at)
{
	uint64_t marks = plain_marks(json_scan_word(scan, at + 1));
	if (marks) {
		at += 1 + word_first_mark(marks);
	} else if ((marks = plain_marks(json_scan_word(scan, at + 9)))) {
		at += 9 + word_first_mark(marks);
	} else {
		at = plain_end_long(at + 17, scan->end);
	}
	return at < scan->end && *at == '"' ? at + 1 : json_scan_string_rest(scan, at);
}

/* Where a number ends that is less than eight digits, and what it is; NULL: it is another. */
static inline const char *json_scan_short_uint(const struct json_scan *scan, const char *at, uint64_t *out)
{
	uint64_t word = json_scan_word(scan, at);
	unsigned n = word_digits(word);
	if (n == 0 || n == 8 || (n > 1 && (char)word == '0'))
		return NULL;
	char behind = (char)(word >> (8 * n));
	*out = word_number(word << (8 * (8 - n)));
	return behind == '.' || behind == 'e' || behind == 'E' ? NULL : at + n;
}

static inline const char *json_scan_short_number(const struct json_scan *scan, const char *at)
{
	uint64_t number;
	return json_scan_short_uint(scan, at, &number);
}

/* json_scan_uint() of a number in this scan's input; quicker where it has at most eight digits. */
static inline int json_scan_uint_here(const struct json_scan *scan, struct slice raw, unsigned long long max,
				      unsigned long long *out)
{
	uint64_t word = scan->last_word && raw.len <= 8 ? json_scan_word(scan, raw.bytes) : 0;
	if (raw.len == 0 || word_digits(word) < raw.len)
		return json_scan_uint(raw, max, out);
	*out = word_number(word << (8 * (8 - raw.len)));
	return *out <= max ? 0 : -1;
}

static inline enum json_type json_scan_value(struct json_scan *scan, struct slice *raw)
{
	const char *at = scan->at, *end;
	if (!scan->last_word || at >= scan->end)
		return json_scan_any_value(scan, raw);
	bool is_string = *at == '"';
	end = is_string ? json_scan_string(scan, at) : json_scan_short_number(scan, at);
	if (!end)
		return is_string ? JSON_TYPE_NONE : json_scan_any_value(scan, raw);
	*raw = (struct slice){at, (size_t)(end - at)};
	scan->at = end;
	return is_string ? JSON_TYPE_STRING : JSON_TYPE_NUMBER;
}

static inline bool json_scan_next(struct json_scan *scan, bool *first, char closing)
{
	const char *at = scan->at;
	if (*first || at == scan->end || (*at != ',' && *at != closing))
		return json_scan_item(scan, first, closing);
	scan->at = at + 1;
	return *at == ',';
}

static inline bool json_scan_another(struct json_scan *scan, bool *first)
{
	return json_scan_next(scan, first, '}');
}

static inline bool json_scan_member(struct json_scan *scan, bool *first, struct slice *key)
{
	return json_scan_another(scan, first) && json_scan_key(scan, key);
}

static inline bool json_scan_element(struct json_scan *scan, bool *first)
{
	return json_scan_next(scan, first, ']');
}

#endif
