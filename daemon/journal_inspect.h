/* Looking at a journal from outside: `millraced --journal-check`, `--journal-dump` and `--journal-salvage`. None of
 * them changes the journal. Each writes to standard output, what is wrong to standard error, and returns the exit
 * status: 0, or 1. */
#ifndef MILLRACE_DAEMON_JOURNAL_INSPECT_H
#define MILLRACE_DAEMON_JOURNAL_INSPECT_H

/* Reads all of it, and sums up. */
int inspect_check(const char *path);

/* Its records as JSON, one a line, each with the number of its batch. */
int inspect_dump(const char *path);

/* Writes what can be read to a journal in PATH.salvaged, which must not be there, and tells what is lost. */
int inspect_salvage(const char *path);

#endif
