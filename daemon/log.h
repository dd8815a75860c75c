/* The log: one line an event, to stderr. Under systemd's journal, which knows the time, with its priority marks in front. */
#ifndef MILLRACE_LOG_H
#define MILLRACE_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO };

/* A line: no newline in it. Control characters are written as '?', so that nothing a peer says can forge a line. Keeps errno. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A warning of a kind that peers can bring about at will: at most one a minute, which says how many there were since the last. */
struct log_seldom { /* of the kind; zero-initialise */
	uint64_t next_us, n_untold;
};
void log_seldom(struct log_seldom *kind, uint64_t now_us, const char *text);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)

#endif
