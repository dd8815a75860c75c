/* See the header. A value is walked once. For each level of it that the walk is in, there is a set of the pointers
 * (bits of a word) whose first so many steps lead there; where none is left, whatever comes is skipped. */
#include "proto/match.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json_scan.h"

/* A number is its digits without zeros at either end, times a power of ten: so each value has one form. */
struct number {
	struct slice digits; /* as they stand, perhaps with a point amid them; empty: zero */
	int64_t exponent;    /* of ten, behind the last of the digits */
	bool is_negative;
	bool is_too_long; /* the exponent has more digits than a match may have */
};

struct pointer {
	struct slice *steps; /* unescaped */
	size_t n_steps;
	enum json_type type; /* of what has to be there */
	struct slice text;   /* of a string, unescaped */
	struct number number;
};

struct match {
	struct pointer *pointers;
	size_t n_pointers;
	struct slice text;
	struct slice *steps; /* of all pointers */
	char bytes[];        /* the text, and as much again, where its strings are unescaped */
};

static_assert(MATCH_MAX_POINTERS <= 64, "a set of pointers is a word");

/* -- Numbers -- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* From the text of a valid number. */
static struct number read_number(struct slice raw)
{
	const char *at = raw.bytes, *end = raw.bytes + raw.len;
	struct number number = {.is_negative = *at == '-'};
	at += number.is_negative;
	const char *first = NULL, *last = NULL, *point = NULL;
	for (; at < end && (is_digit(*at) || *at == '.'); at++) {
		if (*at == '.')
			point = at;
		else if (*at != '0' && !first)
			first = at;
		if (is_digit(*at) && *at != '0')
			last = at;
	}
	if (!first) {
		number.is_negative = false;
		return number;
	}
	/* The power of ten behind the last digit that is not 0. */
	if (!point)
		number.exponent = at - 1 - last;
	else
		number.exponent = last < point ? point - 1 - last : point - last;
	number.digits = (struct slice){first, (size_t)(last + 1 - first)};
	if (at == end)
		return number;
	at++;
	bool is_down = *at == '-';
	at += *at == '-' || *at == '+';
	while (at < end && *at == '0')
		at++;
	number.is_too_long = end - at > MATCH_MAX_EXPONENT_DIGITS;
	int64_t written = 0;
	for (; !number.is_too_long && at < end; at++)
		written = written * 10 + (*at - '0');
	number.exponent += is_down ? -written : written;
	return number;
}

/* The next digit from *at on, or -1 behind the last. */
static int next_digit(const struct number *number, size_t *at)
{
	if (*at < number->digits.len && number->digits.bytes[*at] == '.')
		++*at;
	return *at < number->digits.len ? number->digits.bytes[(*at)++] : -1;
}

static bool numbers_equal(const struct number *a, const struct number *b)
{
	if (a->is_negative != b->is_negative || a->exponent != b->exponent || a->is_too_long || b->is_too_long)
		return a->digits.len == 0 && b->digits.len == 0;
	size_t at_a = 0, at_b = 0;
	int digit;
	do
		if ((digit = next_digit(a, &at_a)) != next_digit(b, &at_b))
			return false;
	while (digit >= 0);
	return true;
}

/* -- Strings -- */

static unsigned hex4(const char *at)
{
	unsigned code = 0;
	for (int i = 0; i < 4; i++) {
		char c = at[i];
		code = code << 4 | (unsigned)(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return code;
}

/* One character of a valid string's inside, unescaped, as UTF-8: its length. *at moves behind it. */
static size_t unescape_one(const char **at, char out[4])
{
	const char *from = *at;
	if (*from != '\\') {
		out[0] = *from;
		*at = from + 1;
		return 1;
	}
	static const char names[] = "bfnrt", meanings[] = "\b\f\n\r\t";
	char name = from[1];
	if (name != 'u') {
		const char *known = memchr(names, name, sizeof(names) - 1);
		out[0] = known ? meanings[known - names] : name;
		*at = from + 2;
		return 1;
	}
	unsigned code = hex4(from + 2);
	*at = from + 6;
	if (code >= 0xD800 && code < 0xDC00) { /* the other half of the pair follows */
		code = 0x10000 + ((code - 0xD800) << 10) + (hex4(from + 8) - 0xDC00);
		*at = from + 12;
	}
	struct slice encoded = {out, 0};
	if (code < 0x80) {
		out[encoded.len++] = (char)code;
	} else if (code < 0x800) {
		out[encoded.len++] = (char)(0xC0 | code >> 6);
	} else if (code < 0x10000) {
		out[encoded.len++] = (char)(0xE0 | code >> 12);
		out[encoded.len++] = (char)(0x80 | (code >> 6 & 0x3F));
	} else {
		out[encoded.len++] = (char)(0xF0 | code >> 18);
		out[encoded.len++] = (char)(0x80 | (code >> 12 & 0x3F));
		out[encoded.len++] = (char)(0x80 | (code >> 6 & 0x3F));
	}
	if (code >= 0x80)
		out[encoded.len++] = (char)(0x80 | (code & 0x3F));
	return encoded.len;
}

/* Whether a valid string, with its quotes, says this. */
static bool string_says(struct slice raw, struct slice text)
{
	const char *at = raw.bytes + 1, *end = raw.bytes + raw.len - 1;
	if (!memchr(at, '\\', (size_t)(end - at)))
		return slice_equal((struct slice){at, (size_t)(end - at)}, text);
	size_t n = 0;
	while (at < end) {
		char bytes[4];
		size_t len = unescape_one(&at, bytes);
		if (n + len > text.len || memcmp(text.bytes + n, bytes, len) != 0)
			return false;
		n += len;
	}
	return n == text.len;
}

/* -- Reading values -- */

struct walk {
	const struct match *match;
	struct json_scan scan;
	uint64_t equal; /* pointers that lead to what they ask for, as far as is known */
};

/* Of these pointers, those whose step number `depth` is this member's. */
static uint64_t that_name(const struct match *match, uint64_t set, size_t depth, struct slice key)
{
	uint64_t found = 0;
	for (uint64_t left = set; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		if (string_says(key, match->pointers[i].steps[depth]))
			found |= UINT64_C(1) << i;
	}
	return found;
}

#define NO_INDEX UINT64_MAX

/* The index of an element that a step names: plain digits, with no zero in front. */
static uint64_t index_from(struct slice step)
{
	uint64_t index = 0;
	if (step.len == 0 || step.len > 18 || (step.len > 1 && step.bytes[0] == '0'))
		return NO_INDEX;
	for (size_t i = 0; i < step.len; i++) {
		if (!is_digit(step.bytes[i]))
			return NO_INDEX;
		index = index * 10 + (uint64_t)(step.bytes[i] - '0');
	}
	return index;
}

/* Of these pointers, those whose step number `depth` names this element; *next is the next one that any of them names.
 */
static uint64_t that_index(const struct match *match, uint64_t set, size_t depth, uint64_t index, uint64_t *next)
{
	uint64_t found = 0;
	*next = NO_INDEX;
	for (uint64_t left = set; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		uint64_t named = index_from(match->pointers[i].steps[depth]);
		if (named == index)
			found |= UINT64_C(1) << i;
		else if (named > index && named < *next)
			*next = named;
	}
	return found;
}

static bool is_equal(const struct pointer *pointer, enum json_type type, struct slice raw)
{
	if (type != pointer->type)
		return false;
	if (type == JSON_TYPE_STRING)
		return string_says(raw, pointer->text);
	if (type != JSON_TYPE_NUMBER)
		return true;
	struct number number = read_number(raw);
	return numbers_equal(&number, &pointer->number);
}

/* A scalar, to which these pointers' first `depth` steps lead. */
static void compare(struct walk *walk, uint64_t set, size_t depth, enum json_type type, struct slice raw)
{
	for (; set; set &= set - 1) {
		unsigned i = (unsigned)__builtin_ctzll(set);
		const struct pointer *pointer = &walk->match->pointers[i];
		if (pointer->n_steps == depth && is_equal(pointer, type, raw))
			walk->equal |= UINT64_C(1) << i;
	}
}

static void walk_value(struct walk *walk, uint64_t set, size_t depth);

/* What a pointer found before, under a member of the same name, counts no more. */
static void walk_member(struct walk *walk, uint64_t set, size_t depth)
{
	walk->equal &= ~set;
	walk_value(walk, set, depth);
}

/* Those of the pointers that go on behind `depth` steps. */
static uint64_t that_go_on(const struct match *match, uint64_t set, size_t depth)
{
	uint64_t found = 0;
	for (uint64_t left = set; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		if (match->pointers[i].n_steps > depth)
			found |= UINT64_C(1) << i;
	}
	return found;
}

/* The next value, to which these pointers' first `depth` steps lead. It goes no deeper than the pointers have steps,
 * and a value is nested. */
static void walk_value(struct walk *walk, uint64_t set, size_t depth)
{
	struct json_scan *scan = &walk->scan;
	struct slice raw, key;
	bool first = true;
	uint64_t further = that_go_on(walk->match, set, depth);
	if (further && json_scan_enter(scan, '{')) {
		while (json_scan_member(scan, &first, &key))
			walk_member(walk, that_name(walk->match, further, depth, key), depth + 1);
		return;
	}
	if (further && json_scan_enter(scan, '[')) {
		uint64_t next = 0;
		for (uint64_t i = 0; json_scan_element(scan, &first); i++)
			walk_value(walk, i == next ? that_index(walk->match, further, depth, i, &next) : 0, depth + 1);
		return;
	}
	compare(walk, set, depth, json_scan_value(scan, &raw), raw);
}

bool match_accepts(const struct match *match, struct slice value)
{
	struct walk walk = {.match = match};
	uint64_t all = match->n_pointers == 64 ? UINT64_MAX : (UINT64_C(1) << match->n_pointers) - 1;
	if (!all)
		return true;
	json_scan_init(&walk.scan, value.bytes, value.len);
	json_scan_at_end(&walk.scan);
	walk_value(&walk, all, 0);
	return walk.equal == all;
}

/* -- Compiling -- */

struct compiler {
	struct match *match;
	size_t n_steps;
	char *scratch; /* where strings are unescaped, and steps; it moves on */
	char *why;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct compiler *compiler, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(compiler->why, MATCH_DETAIL_BYTES, format, args);
	va_end(args);
	return -1;
}

static struct slice unescape(struct compiler *compiler, struct slice raw)
{
	char *to = compiler->scratch;
	size_t n = 0;
	for (const char *at = raw.bytes + 1, *end = raw.bytes + raw.len - 1; at < end;)
		n += unescape_one(&at, to + n);
	compiler->scratch += n;
	return (struct slice){to, n};
}

/* Splits an unescaped pointer into its steps, whose ~0 and ~1 are replaced in place. */
static int read_steps(struct compiler *compiler, struct pointer *pointer, struct slice text)
{
	if (text.len > 0 && text.bytes[0] != '/')
		return refuse(compiler, "a member of \"match\" is a JSON pointer: it is empty or begins with '/'");
	pointer->steps = &compiler->match->steps[compiler->n_steps];
	char *out = (char *)text.bytes;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.bytes[i];
		if (c == '/') {
			pointer->steps[pointer->n_steps++] = (struct slice){out, 0};
			compiler->n_steps++;
			continue;
		}
		if (c == '~') {
			char escaped = i + 1 < text.len ? text.bytes[++i] : '\0';
			if (escaped != '0' && escaped != '1')
				return refuse(compiler, "in a JSON pointer, '~' is followed by 0 or 1");
			c = escaped == '0' ? '~' : '/';
		}
		*out++ = c;
		pointer->steps[pointer->n_steps - 1].len++;
	}
	return 0;
}

static bool is_same_pointer(const struct pointer *a, const struct pointer *b)
{
	bool is_same = a->n_steps == b->n_steps;
	for (size_t i = 0; i < a->n_steps && is_same; i++)
		is_same = slice_equal(a->steps[i], b->steps[i]);
	return is_same;
}

static int read_pointer(struct compiler *compiler, struct slice key, enum json_type type, struct slice raw)
{
	struct match *match = compiler->match;
	struct pointer *pointer = &match->pointers[match->n_pointers];
	if (type == JSON_TYPE_OBJECT || type == JSON_TYPE_ARRAY)
		return refuse(compiler, "what \"match\" asks for is a string, a number, true, false or null");
	pointer->type = type;
	if (read_steps(compiler, pointer, unescape(compiler, key)) < 0)
		return -1;
	for (size_t i = 0; i < match->n_pointers; i++)
		if (is_same_pointer(&match->pointers[i], pointer))
			return refuse(compiler, "a pointer of \"match\" is there twice");
	if (type == JSON_TYPE_STRING)
		pointer->text = unescape(compiler, raw);
	else if (type == JSON_TYPE_NUMBER)
		pointer->number = read_number(raw);
	if (pointer->number.is_too_long)
		return refuse(compiler, "the exponent of a number of \"match\" has at most %d digits",
			      MATCH_MAX_EXPONENT_DIGITS);
	match->n_pointers++;
	return 0;
}

static int read_pointers(struct compiler *compiler)
{
	struct json_scan scan;
	struct slice key, raw;
	bool first = true;
	json_scan_init(&scan, compiler->match->text.bytes, compiler->match->text.len);
	if (json_scan_at_end(&scan) || !json_scan_enter(&scan, '{'))
		return refuse(compiler, "\"match\" is an object of JSON pointers, such as {\"/type\": \"order\"}");
	while (json_scan_member(&scan, &first, &key)) {
		enum json_type type = json_scan_value(&scan, &raw);
		if (type == JSON_TYPE_NONE)
			break;
		if (compiler->match->n_pointers == MATCH_MAX_POINTERS)
			return refuse(compiler, "\"match\" has at most %d pointers", MATCH_MAX_POINTERS);
		if (read_pointer(compiler, key, type, raw) < 0)
			return -1;
	}
	return scan.error ? refuse(compiler, "\"match\" is no JSON: %s", scan.error) : 0;
}

static size_t count(struct slice text, char c)
{
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++)
		n += text.bytes[i] == c;
	return n;
}

struct match *match_compile(struct slice json, bool *lacks_memory, char why[MATCH_DETAIL_BYTES])
{
	*lacks_memory = false;
	if (json.len > MATCH_MAX_BYTES) {
		snprintf(why, MATCH_DETAIL_BYTES, "\"match\" has at most %d bytes", MATCH_MAX_BYTES);
		return NULL;
	}
	/* An escaped '/' is not counted as one, so all six bytes of each escape may stand for one. */
	size_t n_steps = count(json, '/') + count(json, '\\') + 1;
	struct match *match = malloc(sizeof(*match) + 2 * json.len);
	struct pointer *pointers = calloc(MATCH_MAX_POINTERS + 1, sizeof(*pointers));
	struct slice *steps = calloc(n_steps, sizeof(*steps));
	if (!match || !pointers || !steps) {
		free(match);
		free(pointers);
		free(steps);
		*lacks_memory = true;
		snprintf(why, MATCH_DETAIL_BYTES, "no memory");
		return NULL;
	}
	*match = (struct match){.pointers = pointers, .text = {match->bytes, json.len}, .steps = steps};
	memcpy(match->bytes, json.bytes, json.len);
	struct compiler compiler = {.match = match, .scratch = match->bytes + json.len, .why = why};
	if (read_pointers(&compiler) < 0) {
		match_destroy(match);
		return NULL;
	}
	return match;
}

void match_destroy(struct match *match)
{
	if (!match)
		return;
	free(match->pointers);
	free(match->steps);
	free(match);
}

struct slice match_text(const struct match *match)
{
	return match->text;
}
