#include "client/cli/common/value_text.h"

#include <stdio.h>
#include <string.h>

#include "client/cli/common/characters.h"
#include "proto/json_scan.h"
#include "proto/message.h"
#include "proto/utf8.h"

enum { QUOTED_BYTES = 48 }; /* of a text in an error */

/* The beginning of the text, cut between characters; *dots is "..." if something was cut off. */
static struct slice quote(struct slice text, const char **dots)
{
	size_t len = 0;

	while (len < text.len) {
		size_t n = utf8_len(text.bytes + len, text.bytes + text.len);

		n = n ? n : 1;
		if (len + n > QUOTED_BYTES)
			break;
		len += n;
	}
	*dots = len < text.len ? "..." : "";
	return (struct slice){text.bytes, len};
}

/* Whether it is likely that no JSON was meant: it does not even begin as JSON does. */
static bool is_bare_word(struct slice text)
{
	return !memchr("{[\"-0123456789", text.bytes[0], 14) && !memchr(text.bytes, '\'', text.len);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice trim(struct slice text)
{
	while (text.len && is_space(text.bytes[0]))
		text = (struct slice){text.bytes + 1, text.len - 1};
	while (text.len && is_space(text.bytes[text.len - 1]))
		text.len--;
	return text;
}

/* What to do with a text that is no JSON: the string that it would be, as one types it in a shell. */
static void advise_quotes(struct slice text, struct slice shown, const char *dots, char error[VALUE_TEXT_ERROR_BYTES])
{
	struct buffer string = {0};
	char reason[VALUE_TEXT_ERROR_BYTES];

	if (shown.len == text.len && value_text_quote(text, &string, reason) == 0)
		snprintf(error, VALUE_TEXT_ERROR_BYTES, "%.*s is not JSON; quote it as '%.*s' or use --string",
			 (int)shown.len, shown.bytes, (int)buffer_len(&string), buffer_front(&string));
	else
		snprintf(error, VALUE_TEXT_ERROR_BYTES, "%.*s%s is not JSON; for a string of this text use --string",
			 (int)shown.len, shown.bytes, dots);
	buffer_finish(&string);
}

static int parse(struct slice text, struct slice *raw, char error[VALUE_TEXT_ERROR_BYTES])
{
	struct json_scan scan;
	enum json_type type;
	const char *dots;
	struct slice shown;

	text = trim(text);
	shown = quote(text, &dots);
	if (text.len == 0) {
		snprintf(error, VALUE_TEXT_ERROR_BYTES,
			 "an empty text is not JSON; for an empty string write '\"\"', or use --string");
		return -1;
	}
	json_scan_init(&scan, text.bytes, text.len);
	type = json_scan_value(&scan, raw);
	if (type == JSON_TYPE_NULL && json_scan_at_end(&scan)) {
		snprintf(error, VALUE_TEXT_ERROR_BYTES,
			 "null cannot be put, it would read as \"closed\"; put any other JSON value");
		return -1;
	}
	if (type != JSON_TYPE_NONE && json_scan_at_end(&scan))
		return 0;
	if (text.len >= 3 && memcmp(text.bytes, "\xef\xbb\xbf", 3) == 0)
		snprintf(error, VALUE_TEXT_ERROR_BYTES,
			 "it begins with a byte order mark (EF BB BF), which is not JSON; take that away");
	else if (is_bare_word(text))
		advise_quotes(text, shown, dots, error);
	else
		snprintf(error, VALUE_TEXT_ERROR_BYTES, "%.*s%s is not JSON: %s, at byte %zu", (int)shown.len,
			 shown.bytes, dots, scan.error ? scan.error : "there is more after the value",
			 (size_t)(scan.at - text.bytes) + 1);
	return -1;
}

int value_text_quote(struct slice text, struct buffer *out, char error[VALUE_TEXT_ERROR_BYTES])
{
	for (size_t at = 0, n; at < text.len; at += n) {
		n = utf8_len(text.bytes + at, text.bytes + text.len);
		if (n == 0) {
			snprintf(error, VALUE_TEXT_ERROR_BYTES,
				 "not UTF-8 at byte %zu; JSON strings can only hold UTF-8 (iconv converts)", at + 1);
			return -1;
		}
	}
	message_text(out, text);
	if (out->failed) {
		snprintf(error, VALUE_TEXT_ERROR_BYTES, "out of memory");
		return -1;
	}
	return 0;
}

int value_text_read(struct slice text, bool is_plain, struct buffer *made, struct slice *raw,
		    char error[VALUE_TEXT_ERROR_BYTES])
{
	if (!is_plain)
		return parse(text, raw, error);
	buffer_clear(made);
	if (value_text_quote(text, made, error) < 0)
		return -1;
	*raw = buffer_slice(made);
	return 0;
}

void value_text_append_line(struct buffer *out, struct slice value, bool for_terminal)
{
	bool compact = memchr(value.bytes, '\n', value.len) || memchr(value.bytes, '\r', value.len);
	bool in_string = false;
	size_t done = 0; /* what is before this is appended */

	if (!compact && !for_terminal) {
		buffer_append(out, value.bytes, value.len);
		return;
	}
	for (size_t at = 0, n; at < value.len; at += n) {
		const char *c = value.bytes + at;
		bool is_gap = compact && !in_string && is_space(*c);
		bool is_control;

		n = utf8_len(c, value.bytes + value.len);
		is_control = for_terminal && in_string && n && characters_is_control(c, n);
		n = n ? n : 1;
		if (*c == '"')
			in_string = !in_string;
		else if (*c == '\\' && at + 1 < value.len)
			n = 2;
		if (is_gap || is_control) {
			buffer_append(out, value.bytes + done, at - done);
			done = at + n;
		}
		if (is_control) {
			char escape[8];

			buffer_append(out, escape,
				      (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned char)c[n - 1]));
		}
	}
	buffer_append(out, value.bytes + done, value.len - done);
}

void value_text_append_plain(struct buffer *out, struct slice value)
{
	struct slice text = value;
	char *scratch;

	if (value.len == 0 || value.bytes[0] != '"') {
		buffer_append(out, value.bytes, value.len);
		return;
	}
	scratch = buffer_reserve(out, value.len);
	if (!scratch)
		return;
	text = json_scan_text(value, scratch);
	memmove(scratch, text.bytes, text.len);
	buffer_commit(out, text.len);
}
