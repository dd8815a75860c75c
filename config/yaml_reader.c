/* libyaml gives the document as a tree whose nodes know their places; this asks it. Lines and columns count from 1. */
#include "config/yaml_reader.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 8 }; /* of mappings and lists in one another: the deepest that means something is 3 */

/* -- The document -- */

void yaml_one_line(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

__attribute__((format(printf, 3, 0))) static int refuse_at(struct yaml_reader *reader, const yaml_mark_t *mark,
							   const char *format, va_list args)
{
	int len;
	if (reader->has_places)
		len = snprintf(reader->error, CONFIG_ERROR_BYTES, "%.200s:%zu:%zu: ", reader->name, mark->line + 1,
			       mark->column + 1);
	else
		len = snprintf(reader->error, CONFIG_ERROR_BYTES, "%.200s: ", reader->name);
	vsnprintf(reader->error + len, (size_t)(CONFIG_ERROR_BYTES - len), format, args);
	yaml_one_line(reader->error);
	return -1;
}

int yaml_refuse(struct yaml_reader *reader, const yaml_node_t *node, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	refuse_at(reader, &node->start_mark, format, args);
	va_end(args);
	return -1;
}

int yaml_list(struct yaml_reader *reader, const yaml_node_t *node, size_t least, size_t most, const char *what,
	      yaml_item_fn *read, void *into)
{
	if (node->type != YAML_SEQUENCE_NODE)
		return read(reader, node, into);
	const yaml_node_item_t *items = node->data.sequence.items.start;
	size_t n = (size_t)(node->data.sequence.items.top - items);
	if (n < least || n > most)
		return yaml_refuse(reader, node, "%zu %s; expected %zu to %zu", n, what, least, most);
	for (size_t i = 0; i < n; i++)
		if (read(reader, yaml_node(reader, items[i]), into) < 0)
			return -1;
	return 0;
}

__attribute__((format(printf, 3, 4))) static int refuse_mark(struct yaml_reader *reader, const yaml_mark_t *mark,
							     const char *format, ...)
{
	va_list args;
	va_start(args, format);
	refuse_at(reader, mark, format, args);
	va_end(args);
	return -1;
}

/* Where a byte of the text stands: libyaml tells only its offset if it cannot be read at all. Columns count characters.
 */
static yaml_mark_t mark_of_byte(const char *text, size_t len, size_t offset)
{
	yaml_mark_t mark = {.index = offset};
	for (size_t i = 0; i < len && i < offset; i++) {
		if (text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

/* Whether the line of the mistake has what looks like an IPv6 address with a port, without quotes: "[::1]:7224". */
static bool has_bare_address(const char *text, size_t len, size_t line)
{
	const char *end = text + len, *at = text;
	for (; line > 0 && at < end; at++)
		line -= *at == '\n';
	for (; at < end && *at != '\n'; at++) {
		if (*at == ']' && end - at > 2 && at[1] == ':' && at[2] >= '0' && at[2] <= '9')
			return true;
	}
	return false;
}

static int refuse_syntax(struct yaml_reader *reader, const yaml_parser_t *parser, const char *text, size_t len)
{
	yaml_mark_t mark = parser->problem_mark;
	if (parser->error == YAML_MEMORY_ERROR || !parser->problem) {
		snprintf(reader->error, CONFIG_ERROR_BYTES, "%.200s: no memory", reader->name);
		return -1;
	}
	if (parser->error != YAML_READER_ERROR)
		return refuse_mark(reader, &mark, "%s; expected YAML%s", parser->problem,
				   has_bare_address(text, len, mark.line)
					   ? ", where an IPv6 address needs quotes: \"[::1]:7224\""
					   : "");
	mark = mark_of_byte(text, len, parser->problem_offset);
	return refuse_mark(reader, &mark, "%s; expected YAML in UTF-8", parser->problem);
}

/* What a scalar, a list or a mapping may not bring along. */
static int check_marks_of(struct yaml_reader *reader, const yaml_event_t *event, const yaml_char_t *anchor,
			  const yaml_char_t *tag)
{
	if (anchor)
		return refuse_mark(reader, &event->start_mark,
				   "anchor \"%.64s\"; expected a configuration without anchors", (const char *)anchor);
	if (tag)
		return refuse_mark(reader, &event->start_mark, "tag \"%.64s\"; expected a configuration without tags",
				   (const char *)tag);
	return 0;
}

/* `documents` and `depth` count what has begun so far. */
static int check_event(struct yaml_reader *reader, const yaml_event_t *event, unsigned *documents, unsigned *depth)
{
	int result = 0;
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if ((*documents)++ > 0)
			result = refuse_mark(reader, &event->start_mark, "a second document; expected one");
		break;
	case YAML_ALIAS_EVENT:
		result = refuse_mark(reader, &event->start_mark,
				     "alias \"%.64s\"; expected a configuration without aliases",
				     (const char *)event->data.alias.anchor);
		break;
	case YAML_SCALAR_EVENT:
		result = check_marks_of(reader, event, event->data.scalar.anchor, event->data.scalar.tag);
		break;
	case YAML_SEQUENCE_START_EVENT:
		result = check_marks_of(reader, event, event->data.sequence_start.anchor,
					event->data.sequence_start.tag);
		++*depth;
		break;
	case YAML_MAPPING_START_EVENT:
		result = check_marks_of(reader, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		++*depth;
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		--*depth;
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	if (result == 0 && *depth > MAX_DEPTH)
		result = refuse_mark(reader, &event->start_mark, "nested too deep; expected at most %d levels",
				     MAX_DEPTH);
	return result;
}

static int parser_init(struct yaml_reader *reader, yaml_parser_t *parser, const char *text, size_t len)
{
	if (!yaml_parser_initialize(parser)) {
		snprintf(reader->error, CONFIG_ERROR_BYTES, "%.200s: no memory", reader->name);
		return -1;
	}
	yaml_parser_set_input_string(parser, (const unsigned char *)text, len);
	yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
	return 0;
}

/* A tree no longer tells anchors and aliases, and a deep one costs before it can be refused: so the text is first read
 * as events. */
static int check_text(struct yaml_reader *reader, const char *text, size_t len)
{
	yaml_parser_t parser;
	yaml_event_t event;
	unsigned documents = 0, depth = 0;
	bool at_end = false;
	int result = parser_init(reader, &parser, text, len);
	if (result < 0)
		return -1;
	while (result == 0 && !at_end) {
		if (!yaml_parser_parse(&parser, &event)) {
			result = refuse_syntax(reader, &parser, text, len);
			break;
		}
		at_end = event.type == YAML_STREAM_END_EVENT;
		result = check_event(reader, &event, &documents, &depth);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return result;
}

int yaml_reader_init(struct yaml_reader *reader, const char *text, size_t len, const char *name, bool has_places,
		     char error[CONFIG_ERROR_BYTES])
{
	yaml_parser_t parser;
	*reader = (struct yaml_reader){.name = name, .has_places = has_places, .error = error};
	if (check_text(reader, text, len) < 0 || parser_init(reader, &parser, text, len) < 0)
		return -1;
	int result = yaml_parser_load(&parser, &reader->document) ? 0 : refuse_syntax(reader, &parser, text, len);
	yaml_parser_delete(&parser);
	return result;
}

void yaml_reader_finish(struct yaml_reader *reader)
{
	yaml_document_delete(&reader->document);
}

yaml_node_t *yaml_root(struct yaml_reader *reader)
{
	return yaml_document_get_root_node(&reader->document);
}

yaml_node_t *yaml_node(struct yaml_reader *reader, int index)
{
	return yaml_document_get_node(&reader->document, index);
}

/* -- Scalars -- */

static bool is_plain(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

const char *yaml_text(struct yaml_reader *reader, const yaml_node_t *node, const char *what)
{
	if (node->type != YAML_SCALAR_NODE) {
		yaml_refuse(reader, node, "a %s is not possible here; expected %s",
			    node->type == YAML_MAPPING_NODE ? "mapping" : "list", what);
		return NULL;
	}
	const char *text = (const char *)node->data.scalar.value;
	if (strlen(text) != node->data.scalar.length) {
		yaml_refuse(reader, node, "a text with a NUL in it; expected %s", what);
		return NULL;
	}
	return text;
}

int yaml_keep(struct yaml_reader *reader, const yaml_node_t *node, char **field, const char *text, size_t len)
{
	char *copy = strndup(text, len);
	if (!copy)
		return yaml_refuse(reader, node, "no memory");
	free(*field);
	*field = copy;
	return 0;
}

int yaml_read_text(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	char **field = (char **)((char *)into + *(const size_t *)arg);
	const char *text = yaml_text(reader, node, "a text");
	if (!text)
		return -1;
	if (text[0] == '\0')
		return yaml_refuse(reader, node, "there is nothing; expected a text");
	return yaml_keep(reader, node, field, text, strlen(text));
}

int yaml_bool(struct yaml_reader *reader, const yaml_node_t *node, bool *out)
{
	const char *text = yaml_text(reader, node, "true or false");
	if (!text)
		return -1;
	if (!is_plain(node) || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
		return yaml_refuse(reader, node, "\"%.64s\" is not possible; expected true or false", text);
	*out = text[0] == 't';
	return 0;
}

struct suffix {
	const char *text;
	uint64_t factor;
};

static const struct suffix count_suffixes[] = {{"", 1}, {NULL, 0}};
static const struct suffix byte_suffixes[] = {{"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"", 1}, {NULL, 0}};
static const struct suffix ms_suffixes[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {"", 1}, {NULL, 0}};

static const struct suffix *suffixes_of(enum limit_unit unit)
{
	switch (unit) {
	case LIMIT_COUNT:
		return count_suffixes;
	case LIMIT_BYTES:
		return byte_suffixes;
	case LIMIT_MS:
		return ms_suffixes;
	}
	return count_suffixes;
}

static int parse_number(const char *text, const struct suffix *suffix, uint64_t *out)
{
	uint64_t number = 0;
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 18)
		return -1;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	for (; suffix->text; suffix++) {
		if (strcmp(text + digits, suffix->text) != 0)
			continue;
		return __builtin_mul_overflow(number, suffix->factor, out) ? -1 : 0;
	}
	return -1;
}

/* As people write it: in the largest unit that goes into it. */
static const char *format_number(char text[32], uint64_t number, enum limit_unit unit)
{
	const struct suffix *suffix = suffixes_of(unit);
	while (number == 0 ? suffix->factor != 1 : number % suffix->factor != 0)
		suffix++;
	snprintf(text, 32, "%llu%s", (unsigned long long)(number / suffix->factor), suffix->text);
	return text;
}

int yaml_number(struct yaml_reader *reader, const yaml_node_t *node, enum limit_unit unit, uint64_t lowest,
		uint64_t highest, uint64_t *out)
{
	static const char *const forms[] = {
		[LIMIT_COUNT] = "a whole number",
		[LIMIT_BYTES] = "bytes (such as 65536, 64KiB, 16MiB, 2GiB)",
		[LIMIT_MS] = "a time (such as 250ms, 5s, 10m, 1h)",
	};
	char low[32], high[32];
	uint64_t number;
	const char *text = yaml_text(reader, node, forms[unit]);
	if (!text)
		return -1;
	if (!is_plain(node))
		return yaml_refuse(reader, node, "\"%.64s\" is quoted, which makes it a text; expected %s", text,
				   forms[unit]);
	if (parse_number(text, suffixes_of(unit), &number) < 0 || number < lowest || number > highest)
		return yaml_refuse(reader, node, "\"%.64s\" is not possible; expected %s, %s to %s", text, forms[unit],
				   format_number(low, lowest, unit), format_number(high, highest, unit));
	*out = number;
	return 0;
}

/* -- Mappings -- */

/* How many letters have to be changed, added, left out or swapped to make one word of the other. */
static unsigned distance(const char *a, const char *b)
{
	enum { LONGEST = 24 };
	unsigned row[3][LONGEST + 1];
	size_t n_a = strlen(a), n_b = strlen(b);
	if (n_a > LONGEST || n_b > LONGEST)
		return LONGEST;
	for (size_t j = 0; j <= n_b; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n_a; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= n_b; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[n_a % 3][n_b];
}

static void refuse_key(struct yaml_reader *reader, const yaml_node_t *node, const char *name,
		       const struct yaml_key *keys, size_t n_keys)
{
	const char *nearest = NULL;
	unsigned least = 3; /* farther off is no misspelling */
	char known[200] = "";
	size_t len = 0;
	for (size_t i = 0; i < n_keys; i++) {
		unsigned letters = distance(name, keys[i].name);
		if (letters < least) {
			least = letters;
			nearest = keys[i].name;
		}
		if (len < sizeof(known))
			len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "", keys[i].name);
	}
	if (nearest)
		yaml_refuse(reader, node, "unknown key \"%.64s\"; did you mean \"%s\"?", name, nearest);
	else
		yaml_refuse(reader, node, "unknown key \"%.64s\"; expected one of %s", name, known);
}

const struct yaml_key *yaml_find_key(struct yaml_reader *reader, const yaml_node_t *node, const char *name,
				     const struct yaml_key *keys, size_t n_keys)
{
	for (size_t i = 0; i < n_keys; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	refuse_key(reader, node, name, keys, n_keys);
	return NULL;
}

int yaml_set_key(struct yaml_reader *reader, const yaml_node_t *node, const char *name, const struct yaml_key *keys,
		 size_t n_keys, void *into)
{
	const struct yaml_key *key = yaml_find_key(reader, node, name, keys, n_keys);
	return key ? key->read(reader, node, key->arg, into) : -1;
}

int yaml_pairs(struct yaml_reader *reader, const yaml_node_t *node, const char *what, const yaml_node_pair_t **pairs,
	       size_t *n)
{
	*pairs = NULL;
	*n = 0;
	if (is_plain(node) && node->data.scalar.length == 0)
		return 0;
	if (node->type != YAML_MAPPING_NODE)
		return yaml_refuse(reader, node, "%.128s is not a mapping; expected keys with values", what);
	*pairs = node->data.mapping.pairs.start;
	*n = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
	return 0;
}

int yaml_mapping(struct yaml_reader *reader, const yaml_node_t *node, const char *what, const struct yaml_key *keys,
		 size_t n_keys, void *into)
{
	const yaml_node_pair_t *pairs = NULL;
	size_t n = 0;
	uint32_t seen = 0;
	assert(n_keys <= YAML_MAX_KEYS);
	if (yaml_pairs(reader, node, what, &pairs, &n) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *key_node = yaml_node(reader, pairs[i].key);
		const char *name = yaml_text(reader, key_node, "a key");
		const struct yaml_key *key = name ? yaml_find_key(reader, key_node, name, keys, n_keys) : NULL;
		if (!key)
			return -1;
		if (seen >> (key - keys) & 1)
			return yaml_refuse(reader, key_node, "\"%.64s\" is there twice; expected it once", name);
		seen |= UINT32_C(1) << (key - keys);
		if (key->read(reader, yaml_node(reader, pairs[i].value), key->arg, into) < 0)
			return -1;
	}
	return 0;
}

const char *config_library_version(void)
{
	return yaml_get_version_string();
}
