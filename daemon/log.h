/* The log: one line an event, to stderr, as text or as an object of JSON. As text under systemd's journal, which knows
 * the time, with its priority marks in front. Where nobody reads stderr, lines are dropped and counted: nothing here
 * ever waits. */
#ifndef MILLRACE_LOG_H
#define MILLRACE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO };

/* In which form, and up to which level. Until it is called: text, and all. */
void log_setup(bool is_json, enum log_level level);

/* A line: no newline in it. Control characters, those that turn text around, and what is no UTF-8 are written as '?',
 * so that nothing a peer says can forge a line, or be obeyed by a terminal. Keeps errno. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How many lines have been dropped since the start, as stderr had no room for them. */
uint64_t log_dropped(void);

/* The same with members for programs: JSON has them beside the message, which says it all for people. */
struct log_field {
	const char *key;  /* a plain word */
	const char *text; /* NULL: the number */
	uint64_t number;
};
void log_with(enum log_level level, const struct log_field *fields, size_t n_fields, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* What peers can bring about at will is told at most every LOG_SELDOM_MS. */
enum { LOG_SELDOM_MS = 60000 };
struct log_seldom { /* of one kind; zero-initialise */
	uint64_t next_us, n;
};
/* It has happened. Whether that is to be told now, and *n: how often it has since the last time, this one included. */
bool log_is_due(struct log_seldom *kind, uint64_t now_us, uint64_t *n);
/* The same, and a warning, which says how many more there were. */
void log_seldom(struct log_seldom *kind, uint64_t now_us, const char *text);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)

#endif
