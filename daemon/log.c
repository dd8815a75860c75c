/* One line an event, written by one write(2), so that lines of several processes never mix. Nothing here waits: a line
 * for which stderr has no room is dropped and counted, and the next one that finds room is preceded by a line with the
 * count. One thread. */
#define _GNU_SOURCE
#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
static uint64_t n_dropped, n_dropped_untold;

/* -- Where lines go -- */

enum sink_kind { SINK_UNKNOWN, SINK_FILE, SINK_SOCKET, SINK_PIPE };

static struct {
	enum sink_kind kind;
	int fd;          /* stderr, or the same file opened once more */
	bool is_journal; /* systemd's, which knows the time and understands priorities */
	bool is_torn;    /* the last line was written in part */
} sink;

/* Whether stderr is the stream that JOURNAL_STREAM names. A process may have inherited the variable alone, and write
 * elsewhere. */
static bool is_journal(const struct stat *status)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	char more;
	return stream && sscanf(stream, "%llu:%llu%c", &device, &inode, &more) == 2 && device == status->st_dev &&
	       inode == status->st_ino;
}

/* Whether a descriptor blocks belongs to the open file, which other processes share. A pipe or a terminal is opened
 * once more, so that ours alone does not. Where that is not permitted, write_at_once() asks for room before each line.
 */
static void find_sink(void)
{
	struct stat status;
	if (sink.kind != SINK_UNKNOWN && sink.fd != STDERR_FILENO)
		close(sink.fd);
	sink.kind = SINK_FILE;
	sink.fd = STDERR_FILENO;
	sink.is_journal = false;
	if (fstat(STDERR_FILENO, &status) < 0)
		return;
	sink.is_journal = is_journal(&status);
	if (S_ISSOCK(status.st_mode))
		sink.kind = SINK_SOCKET;
	if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
		return;
	sink.kind = SINK_PIPE;
	int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	sink.fd = fd < 0 ? STDERR_FILENO : fd;
}

void log_setup(bool as_json, enum log_level level)
{
	is_json = as_json;
	least = level;
	find_sink();
}

/* Writes without waiting, but where stderr is a file on a disk. */
static ssize_t write_at_once(const char *bytes, size_t len)
{
	struct pollfd room = {.fd = sink.fd, .events = POLLOUT};
	if (sink.kind == SINK_SOCKET)
		return send(sink.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sink.kind == SINK_PIPE && sink.fd == STDERR_FILENO && poll(&room, 1, 0) <= 0)
		return -1;
	return write(sink.fd, bytes, len);
}

/* Returns whether all of the line was written. */
static bool write_bytes(const char *bytes, size_t len)
{
	if (sink.is_torn && write_at_once("\n", 1) != 1)
		return false;
	sink.is_torn = false;
	ssize_t n = write_at_once(bytes, len);
	sink.is_torn = n > 0 && (size_t)n < len;
	return n == (ssize_t)len;
}

uint64_t log_dropped(void)
{
	return n_dropped;
}

/* -- Lines -- */

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

/* The character's number. */
static unsigned decode(const char *at, size_t len)
{
	unsigned code = (unsigned char)at[0];
	if (len > 1)
		code &= 0x7fu >> len;
	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)at[i] & 0x3f);
	return code;
}

/* Whether a terminal may obey the character rather than show it: controls, and what turns or hides other text. */
static bool is_command(unsigned code)
{
	static const struct {
		unsigned first, last;
	} commands[] = {
		{0, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},   {0x200e, 0x200f},   {0x2028, 0x202e},
		{0x2066, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (code >= commands[i].first && code <= commands[i].last)
			return true;
	}
	return false;
}

/* Adds a text that may have come from a peer. What is no UTF-8, and what a terminal would obey, becomes a '?'. */
static void add_text(struct line *line, const char *text)
{
	const char *end = text + strlen(text);
	while (text < end && line->len + 8 < sizeof(line->bytes)) {
		size_t len = utf8_len(text, end);
		if (len == 0 || is_command(decode(text, len))) {
			line->bytes[line->len++] = '?';
			text += len ? len : 1;
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
	if (sink.is_journal) {
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

static bool write_text(enum log_level level, const struct log_field *fields, size_t n_fields, const char *text)
{
	struct line line;
	line.len = 0;
	if (is_json)
		write_json(&line, level, fields, n_fields, text);
	else
		write_plain(&line, level, text);
	line.bytes[line.len++] = '\n';
	return write_bytes(line.bytes, line.len);
}

/* Tells how many lines were dropped, if any were. False: there is no room for that either. */
static bool tell_dropped(void)
{
	char text[128];
	const struct log_field fields[] = {{"dropped", NULL, n_dropped_untold}};
	if (n_dropped_untold == 0)
		return true;
	snprintf(text, sizeof(text), "%llu lines of the log were dropped, as nobody read it",
		 (unsigned long long)n_dropped_untold);
	if (!write_text(LOG_LEVEL_WARNING, fields, 1, text))
		return false;
	n_dropped_untold = 0;
	return true;
}

static void write_line(enum log_level level, const struct log_field *fields, size_t n_fields, const char *format,
		       va_list arguments)
{
	int saved = errno;
	char text[TEXT_BYTES];
	if (level > least)
		return;
	if (sink.kind == SINK_UNKNOWN)
		find_sink();
	vsnprintf(text, sizeof(text), format, arguments);
	if (!tell_dropped() || !write_text(level, fields, n_fields, text)) {
		n_dropped++;
		n_dropped_untold++;
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
