/* The scanner. Nesting is a stack of bits and not recursion, so that no input can exhaust the machine's stack. Every
 * function leaves `at` at the byte after what it has accepted, or at the byte that is wrong. */
#include "proto/json_scan.h"

#include <assert.h>
#include <stdint.h>

#include "proto/plain.h"
#include "proto/utf8.h"

static enum json_type fail(struct json_scan *scan, const char *error)
{
	scan->error = error;
	return JSON_TYPE_NONE;
}

static inline bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static inline bool comes(const struct json_scan *scan, char byte)
{
	return scan->at < scan->end && *scan->at == byte;
}

static inline void skip_space(struct json_scan *scan)
{
	while (scan->at < scan->end &&
	       (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
		scan->at++;
}

void json_scan_space(struct json_scan *scan)
{
	skip_space(scan);
}

/* -- Strings -- */

static int hex_digit(char byte)
{
	if (is_digit(byte))
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The number that four hexadecimal digits at `at` are, or -1. */
static int hex_number(const char *at, const char *end)
{
	int number = 0;
	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);
		if (digit < 0)
			return -1;
		number = number << 4 | digit;
	}
	return number;
}

static inline bool is_high_surrogate(int number)
{
	return (number & 0xfc00) == 0xd800;
}

static inline bool is_low_surrogate(int number)
{
	return (number & 0xfc00) == 0xdc00;
}

/* Behind "\u". */
static bool scan_unicode_escape(struct json_scan *scan)
{
	int number = hex_number(scan->at, scan->end), low;
	if (number < 0)
		return fail(scan, "\\u needs four hexadecimal digits");
	if (is_low_surrogate(number))
		return fail(scan, "a low surrogate stands alone");
	scan->at += 4;
	if (!is_high_surrogate(number))
		return true;
	low = scan->end - scan->at >= 6 && scan->at[0] == '\\' && scan->at[1] == 'u'
		      ? hex_number(scan->at + 2, scan->end)
		      : -1;
	if (!is_low_surrogate(low))
		return fail(scan, "a high surrogate stands alone");
	scan->at += 6;
	return true;
}

/* At a backslash. */
static bool scan_escape(struct json_scan *scan)
{
	if (scan->end - scan->at < 2)
		return fail(scan, "the string does not end");
	switch (scan->at[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		scan->at += 2;
		return true;
	case 'u':
		scan->at += 2;
		return scan_unicode_escape(scan);
	}
	return fail(scan, "there is no such escape");
}

/* At the opening quote. */
static bool scan_string(struct json_scan *scan)
{
	for (scan->at++;;) {
		scan->at = plain_end(scan->at, scan->end);
		if (scan->at == scan->end)
			return fail(scan, "the string does not end");
		if (*scan->at == '"') {
			scan->at++;
			return true;
		}
		if (*scan->at == '\\') {
			if (!scan_escape(scan))
				return false;
		} else if ((unsigned char)*scan->at < 0x20) {
			return fail(scan, "a control character in a string must be escaped");
		} else {
			size_t len = utf8_len(scan->at, scan->end);
			if (len == 0)
				return fail(scan, "not UTF-8");
			scan->at += len;
		}
	}
}

/* -- Numbers and literals -- */

static bool scan_digits(struct json_scan *scan)
{
	if (scan->at == scan->end || !is_digit(*scan->at))
		return fail(scan, "a number lacks a digit");
	while (scan->at < scan->end && is_digit(*scan->at))
		scan->at++;
	return true;
}

static bool scan_number(struct json_scan *scan)
{
	if (comes(scan, '-'))
		scan->at++;
	if (comes(scan, '0')) {
		scan->at++;
		if (scan->at < scan->end && is_digit(*scan->at))
			return fail(scan, "a number cannot begin with 0");
	} else if (!scan_digits(scan)) {
		return false;
	}
	if (comes(scan, '.')) {
		scan->at++;
		if (!scan_digits(scan))
			return false;
	}
	if (comes(scan, 'e') || comes(scan, 'E')) {
		scan->at++;
		if (comes(scan, '+') || comes(scan, '-'))
			scan->at++;
		return scan_digits(scan);
	}
	return true;
}

static enum json_type scan_literal(struct json_scan *scan, const char *word, size_t len, enum json_type type)
{
	if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
		return fail(scan, "a value is expected");
	scan->at += len;
	return type;
}

/* Anything but an array or an object. */
static enum json_type scan_scalar(struct json_scan *scan)
{
	if (scan->at == scan->end)
		return fail(scan, "a value is expected");
	switch (*scan->at) {
	case '"':
		return scan_string(scan) ? JSON_TYPE_STRING : JSON_TYPE_NONE;
	case 't':
		return scan_literal(scan, "true", 4, JSON_TYPE_TRUE);
	case 'f':
		return scan_literal(scan, "false", 5, JSON_TYPE_FALSE);
	case 'n':
		return scan_literal(scan, "null", 4, JSON_TYPE_NULL);
	default:
		if (*scan->at != '-' && !is_digit(*scan->at))
			return fail(scan, "a value is expected");
		return scan_number(scan) ? JSON_TYPE_NUMBER : JSON_TYPE_NONE;
	}
}

/* -- Arrays and objects -- */

bool json_scan_key(struct json_scan *scan, struct slice *key)
{
	skip_space(scan);
	if (!comes(scan, '"'))
		return fail(scan, "a member's name in quotes is expected");
	key->bytes = scan->at;
	if (!scan_string(scan))
		return false;
	key->len = (size_t)(scan->at - key->bytes);
	skip_space(scan);
	if (!comes(scan, ':'))
		return fail(scan, "':' is expected");
	scan->at++;
	return true;
}

/* Which brackets are open, innermost last: a set bit is an object. */
struct nesting {
	uint64_t bits[JSON_MAX_DEPTH / 64];
	unsigned depth;
};

static inline bool nesting_in_object(const struct nesting *nesting)
{
	unsigned top = nesting->depth - 1;
	return nesting->bits[top / 64] >> (top % 64) & 1;
}

static inline void nesting_open(struct nesting *nesting, bool object)
{
	uint64_t *word = &nesting->bits[nesting->depth / 64], bit = UINT64_C(1) << (nesting->depth % 64);
	*word = object ? *word | bit : *word & ~bit;
	nesting->depth++;
}

/* At a bracket that is one too many: goes behind the end of the outermost value, `depth` levels up, by counting
 * brackets alone. */
static void skip_too_deep(struct json_scan *scan, size_t depth)
{
	while (scan->at < scan->end) {
		char byte = *scan->at;
		if (byte == '"') {
			if (!scan_string(scan))
				return;
			continue;
		}
		scan->at++;
		if (byte == '[' || byte == '{')
			depth++;
		else if ((byte == ']' || byte == '}') && --depth == 0) {
			fail(scan, "nested too deep");
			scan->too_deep = true;
			return;
		}
	}
	fail(scan, "a bracket is not closed");
}

/* Behind a value in an array or object: closes what ends here, and goes to where the next value begins. Returns true if
 * all is closed. */
static bool scan_after_value(struct json_scan *scan, struct nesting *nesting)
{
	struct slice key;
	while (nesting->depth) {
		bool object = nesting_in_object(nesting);
		skip_space(scan);
		if (comes(scan, ',')) {
			scan->at++;
			if (object)
				json_scan_key(scan, &key);
			return false;
		}
		if (!comes(scan, object ? '}' : ']')) {
			fail(scan, object ? "',' or '}' is expected" : "',' or ']' is expected");
			return false;
		}
		scan->at++;
		nesting->depth--;
	}
	return true;
}

/* At a bracket. */
static bool scan_nested(struct json_scan *scan)
{
	struct nesting nesting = {.depth = 0};
	struct slice key;
	for (;;) {
		skip_space(scan);
		if (comes(scan, '[') || comes(scan, '{')) {
			bool object = *scan->at == '{';
			if (nesting.depth == JSON_MAX_DEPTH) {
				skip_too_deep(scan, nesting.depth);
				return false;
			}
			nesting_open(&nesting, object);
			scan->at++;
			skip_space(scan);
			if (!comes(scan, object ? '}' : ']')) {
				if (object && !json_scan_key(scan, &key))
					return false;
				continue;
			}
			scan->at++;
			nesting.depth--;
		} else if (scan_scalar(scan) == JSON_TYPE_NONE) {
			return false;
		}
		if (scan_after_value(scan, &nesting))
			return true;
		if (scan->error)
			return false;
	}
}

enum json_type json_scan_any_value(struct json_scan *scan, struct slice *raw)
{
	enum json_type type;
	assert(!scan->error);
	skip_space(scan);
	raw->bytes = scan->at;
	if (comes(scan, '{'))
		type = scan_nested(scan) ? JSON_TYPE_OBJECT : JSON_TYPE_NONE;
	else if (comes(scan, '['))
		type = scan_nested(scan) ? JSON_TYPE_ARRAY : JSON_TYPE_NONE;
	else
		type = scan_scalar(scan);
	raw->len = (size_t)(scan->at - raw->bytes);
	return type;
}

bool json_scan_enter(struct json_scan *scan, char bracket)
{
	skip_space(scan);
	if (!comes(scan, bracket))
		return false;
	scan->at++;
	return true;
}

/* Whether another item comes, in front of which `at` then stands; the closing bracket is consumed. */
bool json_scan_item(struct json_scan *scan, bool *first, char closing)
{
	bool is_first = *first;
	*first = false;
	skip_space(scan);
	if (comes(scan, closing)) {
		scan->at++;
		return false;
	}
	if (is_first)
		return true;
	if (!comes(scan, ','))
		return fail(scan, closing == '}' ? "',' or '}' is expected" : "',' or ']' is expected");
	scan->at++;
	return true;
}

/* -- What was scanned -- */

static char unescaped(char letter)
{
	switch (letter) {
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	}
	return letter;
}

/* Behind a valid "\u": writes the character, and returns where its escape ends. */
static const char *unescape_unicode(const char *at, const char *end, char **to)
{
	int code = hex_number(at, end);
	at += 4;
	if (is_high_surrogate(code)) {
		code = 0x10000 + ((code & 0x3ff) << 10) + (hex_number(at + 2, end) & 0x3ff);
		at += 6;
	}
	*to += utf8_write(*to, (unsigned)code);
	return at;
}

struct slice json_scan_text(struct slice raw, char *scratch)
{
	assert(raw.len >= 2 && raw.bytes[0] == '"');
	const char *at = raw.bytes + 1, *end = raw.bytes + raw.len - 1;
	if (!memchr(at, '\\', (size_t)(end - at)))
		return (struct slice){at, (size_t)(end - at)};
	char *to = scratch;
	while (at < end) {
		if (*at != '\\') {
			*to++ = *at++;
		} else if (at[1] == 'u') {
			at = unescape_unicode(at + 2, end, &to);
		} else {
			*to++ = unescaped(at[1]);
			at += 2;
		}
	}
	return (struct slice){scratch, (size_t)(to - scratch)};
}

int json_scan_uint(struct slice raw, unsigned long long max, unsigned long long *out)
{
	unsigned long long number = 0;
	if (raw.len == 0)
		return -1;
	for (size_t i = 0; i < raw.len; i++) {
		unsigned digit = (unsigned)(raw.bytes[i] - '0');
		if (digit > 9 || number > (max - digit) / 10 || max < digit)
			return -1;
		number = number * 10 + digit;
	}
	*out = number;
	return 0;
}
