/* One line an event, written by one write(2), so that lines of several processes never mix. */
#include "daemon/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 2048, SELDOM_US = 60 * 1000 * 1000 };

static const struct {
	const char *word;
	int priority; /* sd-daemon(3)'s */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", 3},
	[LOG_LEVEL_WARNING] = {"warning", 4},
	[LOG_LEVEL_INFO] = {"info", 6},
};

static size_t write_prefix(char *line, size_t size, enum log_level level)
{
	if (getenv("JOURNAL_STREAM"))
		return (size_t)snprintf(line, size, "<%d>", levels[level].priority);

	struct timeval now;
	struct tm utc;
	gettimeofday(&now, NULL);
	gmtime_r(&now.tv_sec, &utc);
	size_t len = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
	return len + (size_t)snprintf(line + len, size - len, ".%03dZ %s: ", (int)(now.tv_usec / 1000), levels[level].word);
}

void log_line(enum log_level level, const char *format, ...)
{
	int saved = errno;
	char line[LINE_BYTES];
	size_t len = write_prefix(line, sizeof(line), level), room = sizeof(line) - len - 1;

	va_list arguments;
	va_start(arguments, format);
	int wanted = vsnprintf(line + len, room, format, arguments);
	va_end(arguments);

	size_t end = len + (wanted < 0 ? 0 : (size_t)wanted < room ? (size_t)wanted : room - 1);
	for (size_t i = len; i < end; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	line[end++] = '\n';
	if (write(STDERR_FILENO, line, end) < 0) {
		/* There is nowhere to say it. */
	}
	errno = saved;
}

void log_seldom(struct log_seldom *kind, uint64_t now_us, const char *text)
{
	if (now_us < kind->next_us) {
		kind->n_untold++;
		return;
	}
	if (kind->n_untold)
		log_warning("%s (%llu more since this was told last)", text, (unsigned long long)kind->n_untold);
	else
		log_warning("%s", text);
	kind->next_us = now_us + SELDOM_US;
	kind->n_untold = 0;
}
