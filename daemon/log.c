/* One line an event, written by one write(2), so that lines of several processes never mix. */
#include "daemon/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "proto/utf8.h"

enum { TEXT_BYTES = 1800, LINE_BYTES = 4096 };

static const struct {
	const char *word;
	int priority; /* sd-daemon(3)'s */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", 3},
	[LOG_LEVEL_WARNING] = {"warning", 4},
	[LOG_LEVEL_INFO] = {"info", 6},
};

static bool is_json;
static enum log_level least = LOG_LEVEL_INFO;

void log_setup(bool as_json, enum log_level level)
{
	is_json = as_json;
	least = level;
}

struct line {
	char bytes[LINE_BYTES];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
	va_list arguments;
	size_t room = sizeof(line->bytes) - 1 - line->len;
	va_start(arguments, format);
	int wanted = vsnprintf(line->bytes + line->len, room, format, arguments);
	va_end(arguments);
	line->len += wanted < 0 ? 0 : (size_t)wanted < room ? (size_t)wanted : room - 1;
}

/* Control characters, and in JSON what is no UTF-8, become '?'. */
static void add_text(struct line *line, const char *text)
{
	const char *end = text + strlen(text);
	while (text < end && line->len + 8 < sizeof(line->bytes)) {
		size_t len = is_json ? utf8_len(text, end) : 1;
		if ((unsigned char)*text < ' ' || *text == 0x7f || len == 0) {
			line->bytes[line->len++] = '?';
			text++;
			continue;
		}
		if (is_json && (*text == '"' || *text == '\\'))
			line->bytes[line->len++] = '\\';
		memcpy(line->bytes + line->len, text, len);
		line->len += len;
		text += len;
	}
}

static void add_time(struct line *line)
{
	struct timeval now;
	struct tm utc;
	char text[32];
	gettimeofday(&now, NULL);
	gmtime_r(&now.tv_sec, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	add(line, "%s.%03dZ", text, (int)(now.tv_usec / 1000));
}

static void write_plain(struct line *line, enum log_level level, const char *text)
{
	if (getenv("JOURNAL_STREAM")) {
		add(line, "<%d>", levels[level].priority);
	} else {
		add_time(line);
		add(line, " %s: ", levels[level].word);
	}
	add_text(line, text);
}

static void write_json(struct line *line, enum log_level level, const struct log_field *fields, size_t n_fields,
		       const char *text)
{
	add(line, "{\"time\":\"");
	add_time(line);
	add(line, "\",\"level\":\"%s\",\"message\":\"", levels[level].word);
	add_text(line, text);
	add(line, "\"");
	for (size_t i = 0; i < n_fields; i++) {
		if (!fields[i].text) {
			add(line, ",\"%s\":%llu", fields[i].key, (unsigned long long)fields[i].number);
			continue;
		}
		add(line, ",\"%s\":\"", fields[i].key);
		add_text(line, fields[i].text);
		add(line, "\"");
	}
	add(line, "}");
}

static void write_line(enum log_level level, const struct log_field *fields, size_t n_fields, const char *format,
		       va_list arguments)
{
	int saved = errno;
	char text[TEXT_BYTES];
	struct line line;
	line.len = 0;
	if (level > least)
		return;
	vsnprintf(text, sizeof(text), format, arguments);
	if (is_json)
		write_json(&line, level, fields, n_fields, text);
	else
		write_plain(&line, level, text);
	line.bytes[line.len++] = '\n';
	if (write(STDERR_FILENO, line.bytes, line.len) < 0) {
		/* There is nowhere to say it. */
	}
	errno = saved;
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	write_line(level, NULL, 0, format, arguments);
	va_end(arguments);
}

void log_with(enum log_level level, const struct log_field *fields, size_t n_fields, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	write_line(level, fields, n_fields, format, arguments);
	va_end(arguments);
}

bool log_is_due(struct log_seldom *kind, uint64_t now_us, uint64_t *n)
{
	kind->n++;
	if (now_us < kind->next_us)
		return false;
	*n = kind->n;
	*kind = (struct log_seldom){.next_us = now_us + LOG_SELDOM_MS * UINT64_C(1000)};
	return true;
}

void log_seldom(struct log_seldom *kind, uint64_t now_us, const char *text)
{
	uint64_t n;
	if (!log_is_due(kind, now_us, &n))
		return;
	if (n > 1)
		log_warning("%s (%llu more since this was told last)", text, (unsigned long long)(n - 1));
	else
		log_warning("%s", text);
}
