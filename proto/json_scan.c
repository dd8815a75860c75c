/* The scanner. Nesting is a stack of bits and not recursion, so that no input can exhaust the machine's stack.
 *
 * The functions that go over something take where it begins, and return where it ends; NULL: it is wrong, and the scan
 * says what, and where. So the place is kept in a register, and not in the scan. */
#include "proto/json_scan.h"

#include <assert.h>

#include "proto/plain.h"
#include "proto/text_end.h"
#include "proto/utf8.h"

static const char *wrong(struct json_scan *scan, const char *at, const char *error)
{
	scan->at = at;
	scan->error = error;
	return NULL;
}

static inline bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static inline bool comes(const struct json_scan *scan, const char *at, char byte)
{
	return at < scan->end && *at == byte;
}

static inline const char *space_end(const struct json_scan *scan, const char *at)
{
	while (at < scan->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at;
}

void json_scan_space(struct json_scan *scan)
{
	scan->at = space_end(scan, scan->at);
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
static const char *unicode_escape_end(struct json_scan *scan, const char *at)
{
	int number = hex_number(at, scan->end);
	if (number < 0)
		return wrong(scan, at, "\\u needs four hexadecimal digits");
	if (is_low_surrogate(number))
		return wrong(scan, at, "a low surrogate stands alone");
	at += 4;
	if (!is_high_surrogate(number))
		return at;
	int low = scan->end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex_number(at + 2, scan->end) : -1;
	return is_low_surrogate(low) ? at + 6 : wrong(scan, at, "a high surrogate stands alone");
}

/* At a backslash. */
static const char *escape_end(struct json_scan *scan, const char *at)
{
	if (scan->end - at < 2)
		return wrong(scan, at, "the string does not end");
	switch (at[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return at + 2;
	case 'u':
		return unicode_escape_end(scan, at + 2);
	}
	return wrong(scan, at, "there is no such escape");
}

/* Behind the opening quote, and what was plain. Escapes, text that is not ASCII and runs of plain bytes follow each
 * other. */
const char *json_scan_string_rest(struct json_scan *scan, const char *at)
{
	for (; at < scan->end; at = plain_end(at, scan->end)) {
		if (*at == '"')
			return at + 1;
		if (*at == '\\') {
			if (!(at = escape_end(scan, at)))
				return NULL;
			continue;
		}
		if ((unsigned char)*at < 0x20)
			return wrong(scan, at, "a control character in a string must be escaped");
		at = text_end(at, scan->end);
		if (at < scan->end && (unsigned char)*at >= 0x80)
			return wrong(scan, at, "not UTF-8");
	}
	return wrong(scan, scan->end, "the string does not end");
}

/* At the opening quote. */
static inline const char *string_end(struct json_scan *scan, const char *at)
{
	return json_scan_string_rest(scan, plain_end(at + 1, scan->end));
}

/* -- Numbers and literals -- */

static const char *digits_end(struct json_scan *scan, const char *at)
{
	if (at == scan->end || !is_digit(*at))
		return wrong(scan, at, "a number lacks a digit");
	while (at < scan->end && is_digit(*at))
		at++;
	return at;
}

static const char *number_end(struct json_scan *scan, const char *at)
{
	if (comes(scan, at, '-'))
		at++;
	if (comes(scan, at, '0')) {
		at++;
		if (at < scan->end && is_digit(*at))
			return wrong(scan, at, "a number cannot begin with 0");
	} else if (!(at = digits_end(scan, at))) {
		return NULL;
	}
	if (comes(scan, at, '.') && !(at = digits_end(scan, at + 1)))
		return NULL;
	if (comes(scan, at, 'e') || comes(scan, at, 'E')) {
		at++;
		if (comes(scan, at, '+') || comes(scan, at, '-'))
			at++;
		return digits_end(scan, at);
	}
	return at;
}

static inline const char *literal_end(struct json_scan *scan, const char *at, const char *word, size_t len)
{
	if ((size_t)(scan->end - at) < len || memcmp(at, word, len) != 0)
		return wrong(scan, at, "a value is expected");
	return at + len;
}

/* Anything but an array or an object. */
static inline const char *scalar_end(struct json_scan *scan, const char *at, enum json_type *type)
{
	if (at == scan->end)
		return wrong(scan, at, "a value is expected");
	switch (*at) {
	case '"':
		*type = JSON_TYPE_STRING;
		return string_end(scan, at);
	case 't':
		*type = JSON_TYPE_TRUE;
		return literal_end(scan, at, "true", 4);
	case 'f':
		*type = JSON_TYPE_FALSE;
		return literal_end(scan, at, "false", 5);
	case 'n':
		*type = JSON_TYPE_NULL;
		return literal_end(scan, at, "null", 4);
	}
	*type = JSON_TYPE_NUMBER;
	if (*at != '-' && !is_digit(*at))
		return wrong(scan, at, "a value is expected");
	return number_end(scan, at);
}

/* -- Arrays and objects -- */

/* A member's name, and the colon behind it. */
static inline const char *key_end(struct json_scan *scan, const char *at, struct slice *key)
{
	at = space_end(scan, at);
	if (!comes(scan, at, '"'))
		return wrong(scan, at, "a member's name in quotes is expected");
	key->bytes = at;
	if (!(at = string_end(scan, at)))
		return NULL;
	key->len = (size_t)(at - key->bytes);
	at = space_end(scan, at);
	return comes(scan, at, ':') ? at + 1 : wrong(scan, at, "':' is expected");
}

bool json_scan_key(struct json_scan *scan, struct slice *key)
{
	const char *at = key_end(scan, scan->at, key);
	if (at)
		scan->at = at;
	return at;
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
static void skip_too_deep(struct json_scan *scan, const char *at, size_t depth)
{
	while (at < scan->end) {
		char byte = *at;
		if (byte == '"') {
			if (!(at = string_end(scan, at)))
				return;
			continue;
		}
		at++;
		if (byte == '[' || byte == '{')
			depth++;
		else if ((byte == ']' || byte == '}') && --depth == 0) {
			wrong(scan, at, "nested too deep");
			scan->too_deep = true;
			return;
		}
	}
	wrong(scan, at, "a bracket is not closed");
}

/* At a bracket. The states are places in the code: in front of a member's name, of a value, and behind one. */
static const char *nested_end(struct json_scan *scan, const char *at)
{
	struct nesting nesting = {.depth = 0};
	struct slice key;
	enum json_type type;
	bool object;

open:
	if (nesting.depth == JSON_MAX_DEPTH) {
		skip_too_deep(scan, at, nesting.depth);
		return NULL;
	}
	object = *at == '{';
	nesting_open(&nesting, object);
	at = space_end(scan, at + 1);
	if (comes(scan, at, object ? '}' : ']'))
		goto close;
	if (!object)
		goto value;
name:
	if (!(at = key_end(scan, at, &key)))
		return NULL;
value:
	at = space_end(scan, at);
	if (comes(scan, at, '{') || comes(scan, at, '['))
		goto open;
	if (!(at = scalar_end(scan, at, &type)))
		return NULL;
behind_value:
	at = space_end(scan, at);
	if (comes(scan, at, ',')) {
		at++;
		if (object)
			goto name;
		goto value;
	}
	if (!comes(scan, at, object ? '}' : ']'))
		return wrong(scan, at, object ? "',' or '}' is expected" : "',' or ']' is expected");
close:
	at++;
	if (--nesting.depth == 0)
		return at;
	object = nesting_in_object(&nesting);
	goto behind_value;
}

enum json_type json_scan_any_value(struct json_scan *scan, struct slice *raw)
{
	enum json_type type;
	assert(!scan->error);
	const char *begin = space_end(scan, scan->at), *end;
	if (comes(scan, begin, '{') || comes(scan, begin, '[')) {
		type = *begin == '{' ? JSON_TYPE_OBJECT : JSON_TYPE_ARRAY;
		end = nested_end(scan, begin);
	} else {
		end = scalar_end(scan, begin, &type);
	}
	if (end)
		scan->at = end;
	*raw = (struct slice){begin, (size_t)(scan->at - begin)};
	return end ? type : JSON_TYPE_NONE;
}

bool json_scan_enter(struct json_scan *scan, char bracket)
{
	scan->at = space_end(scan, scan->at);
	if (!comes(scan, scan->at, bracket))
		return false;
	scan->at++;
	return true;
}

/* Whether another item comes, in front of which `at` then stands; the closing bracket is consumed. */
bool json_scan_item(struct json_scan *scan, bool *first, char closing)
{
	bool is_first = *first;
	*first = false;
	scan->at = space_end(scan, scan->at);
	if (comes(scan, scan->at, closing)) {
		scan->at++;
		return false;
	}
	if (is_first)
		return true;
	if (!comes(scan, scan->at, ','))
		return wrong(scan, scan->at, closing == '}' ? "',' or '}' is expected" : "',' or ']' is expected");
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
