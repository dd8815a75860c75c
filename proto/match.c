/* See the header. A value is walked once. The pointers are in order, step by step; so those whose first so many steps
 * lead to the level of it that the walk is in lie side by side, and are searched for the next step: what a member costs
 * hardly depends on how many there are. Where none is left, whatever comes is skipped. */
#include "proto/match.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json_number.h"
#include "proto/json_scan.h"

struct pointer {
	struct slice *steps; /* unescaped */
	size_t n_steps;
	enum json_type type; /* of what has to be there */
	struct slice text;   /* of a string, unescaped */
	struct json_number number;
};

struct match {
	struct pointer *pointers;
	size_t n_pointers;
	size_t bytes_taken;
	struct slice text;
	struct slice *steps; /* of all pointers */
	char bytes[];        /* the text, and as much again, where its strings are unescaped */
};

static_assert(MATCH_MAX_POINTERS < 64, "a set of pointers is a word");

/* -- Strings -- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

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

/* Pointers that lie side by side, and whose first steps are the same. */
struct range {
	unsigned low, high;
};

static uint64_t bits_of(struct range range)
{
	return (UINT64_C(1) << range.high) - (UINT64_C(1) << range.low);
}

/* Shorter ones come first: so indexes are in order. */
static inline int compare_steps(struct slice a, struct slice b)
{
	return a.len != b.len ? (a.len > b.len) - (a.len < b.len) : a.len ? memcmp(a.bytes, b.bytes, a.len) : 0;
}

/* Those of the range that have another step behind their first `depth`: all, but for the one, if there is one, that
 * ends there, and is the first. */
static struct range that_go_on(const struct match *match, struct range range, size_t depth)
{
	range.low += range.low < range.high && match->pointers[range.low].n_steps == depth;
	return range;
}

/* Of these pointers, which go on behind `depth` steps, the first whose next step is not before this one, or with
 * `is_behind` the first behind those with this step. */
static unsigned first_from(const struct match *match, struct range range, size_t depth, struct slice step,
			   bool is_behind)
{
	while (range.low < range.high) {
		unsigned middle = (range.low + range.high) / 2;
		if (compare_steps(match->pointers[middle].steps[depth], step) < is_behind)
			range.low = middle + 1;
		else
			range.high = middle;
	}
	return range.low;
}

static bool has_step(const struct match *match, unsigned pointer, size_t depth, struct slice step)
{
	return compare_steps(match->pointers[pointer].steps[depth], step) == 0;
}

/* Of these pointers, those whose step number `depth` is this one. */
static struct range with_step(const struct match *match, struct range range, size_t depth, struct slice step)
{
	if (range.low < range.high && has_step(match, range.low, depth, step) &&
	    has_step(match, range.high - 1, depth, step))
		return range; /* as where all go the same way at first */
	range.low = first_from(match, range, depth, step, false);
	if (range.low == range.high || !has_step(match, range.low, depth, step))
		return (struct range){range.low, range.low};
	range.high = first_from(match, range, depth, step, true);
	return range;
}

/* A member's name, unescaped in `room` if it has to be; one that is longer than any step may be cut. */
static struct slice name_of(struct slice key, char room[MATCH_MAX_BYTES])
{
	const char *at = key.bytes + 1, *end = key.bytes + key.len - 1;
	if (!memchr(at, '\\', (size_t)(end - at)))
		return (struct slice){at, (size_t)(end - at)};
	struct slice name = {room, 0};
	while (at < end && name.len <= MATCH_MAX_BYTES - 4)
		name.len += unescape_one(&at, room + name.len);
	return name;
}

/* Of these pointers, those whose step number `depth` is this member's; the range may be empty. */
static struct range that_name(const struct match *match, struct range range, size_t depth, struct slice key)
{
	char room[MATCH_MAX_BYTES];
	return with_step(match, range, depth, name_of(key, room));
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

/* Moves the front of the range to the next pointer whose step number `depth` names an element: its index, or NO_INDEX.
 */
static uint64_t next_index(const struct match *match, struct range *range, size_t depth)
{
	for (; range->low < range->high; range->low++) {
		uint64_t index = index_from(match->pointers[range->low].steps[depth]);
		if (index != NO_INDEX)
			return index;
	}
	return NO_INDEX;
}

static bool is_equal(const struct pointer *pointer, enum json_type type, struct slice raw)
{
	if (type != pointer->type)
		return false;
	if (type == JSON_TYPE_STRING)
		return string_says(raw, pointer->text);
	if (type != JSON_TYPE_NUMBER)
		return true;
	struct json_number number = json_number_read(raw);
	return json_numbers_equal(&number, &pointer->number);
}

static void walk_value(struct walk *walk, struct range range, size_t depth);

/* What a pointer found before, under a member of the same name, counts no more. */
static void walk_member(struct walk *walk, struct range range, size_t depth)
{
	walk->equal &= ~bits_of(range);
	walk_value(walk, range, depth);
}

static void walk_elements(struct walk *walk, struct range left, size_t depth)
{
	const struct match *match = walk->match;
	bool first = true;
	uint64_t next = next_index(match, &left, depth);
	for (uint64_t i = 0; json_scan_element(&walk->scan, &first); i++) {
		struct range range = {0, 0};
		if (i == next) {
			struct slice step = match->pointers[left.low].steps[depth];
			range = (struct range){left.low, left.low + 1};
			if (range.high < left.high && has_step(match, range.high, depth, step))
				range.high = first_from(match, left, depth, step, true);
			left.low = range.high;
			next = next_index(match, &left, depth);
		}
		walk_value(walk, range, depth + 1);
	}
}

/* The next value, to which these pointers' first `depth` steps lead. It goes no deeper than the pointers have steps,
 * and a value is nested. */
static void walk_value(struct walk *walk, struct range range, size_t depth)
{
	struct json_scan *scan = &walk->scan;
	struct slice raw, key;
	bool first = true;
	struct range further = that_go_on(walk->match, range, depth);
	bool is_wanted = further.low > range.low; /* by the pointer that ends here */
	if (range.low == range.high) {
		json_scan_value(scan, &raw);
	} else if (further.low < further.high && json_scan_enter(scan, '{')) {
		while (json_scan_member(scan, &first, &key))
			walk_member(walk, that_name(walk->match, further, depth, key), depth + 1);
	} else if (further.low < further.high && json_scan_enter(scan, '[')) {
		walk_elements(walk, further, depth);
	} else {
		enum json_type type = json_scan_value(scan, &raw);
		if (is_wanted && is_equal(&walk->match->pointers[range.low], type, raw))
			walk->equal |= UINT64_C(1) << range.low;
	}
}

bool match_accepts(const struct match *match, struct slice value)
{
	struct walk walk = {.match = match};
	struct range all = {0, (unsigned)match->n_pointers};
	if (!match->n_pointers)
		return true;
	json_scan_init(&walk.scan, value.bytes, value.len);
	json_scan_at_end(&walk.scan);
	walk_value(&walk, all, 0);
	return walk.equal == bits_of(all);
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

/* By their steps; of two of which one begins with the other, the shorter comes first. */
static int compare_pointers(const void *a, const void *b)
{
	const struct pointer *x = a, *y = b;
	for (size_t i = 0; i < x->n_steps && i < y->n_steps; i++) {
		int order = compare_steps(x->steps[i], y->steps[i]);
		if (order)
			return order;
	}
	return (x->n_steps > y->n_steps) - (x->n_steps < y->n_steps);
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
		if (compare_pointers(&match->pointers[i], pointer) == 0)
			return refuse(compiler, "a pointer of \"match\" is there twice");
	if (type == JSON_TYPE_STRING)
		pointer->text = unescape(compiler, raw);
	else if (type == JSON_TYPE_NUMBER)
		pointer->number = json_number_read(raw);
	if (pointer->number.is_too_long)
		return refuse(compiler, "the exponent of a number of \"match\" has at most %d digits",
			      JSON_MAX_EXPONENT_DIGITS);
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
	if (scan.error)
		return refuse(compiler, "\"match\" is no JSON: %s", scan.error);
	qsort(compiler->match->pointers, compiler->match->n_pointers, sizeof(struct pointer), compare_pointers);
	return 0;
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
	size_t n_pointers = count(json, ':'), bytes = sizeof(struct match) + 2 * json.len;
	if (n_pointers > MATCH_MAX_POINTERS)
		n_pointers = MATCH_MAX_POINTERS;
	struct match *match = malloc(bytes);
	struct pointer *pointers = calloc(n_pointers + 1, sizeof(*pointers));
	struct slice *steps = calloc(n_steps, sizeof(*steps));
	if (!match || !pointers || !steps) {
		free(match);
		free(pointers);
		free(steps);
		*lacks_memory = true;
		snprintf(why, MATCH_DETAIL_BYTES, "no memory");
		return NULL;
	}
	*match = (struct match){
		.pointers = pointers,
		.bytes_taken = bytes + (n_pointers + 1) * sizeof(*pointers) + n_steps * sizeof(*steps),
		.text = {match->bytes, json.len},
		.steps = steps,
	};
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

size_t match_bytes(const struct match *match)
{
	return match->bytes_taken;
}

struct slice match_text(const struct match *match)
{
	return match->text;
}
