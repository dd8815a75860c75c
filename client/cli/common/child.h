/* A command, run to its end: text on its standard input, its standard output kept or left to be ours. It has a process
 * group of its own, so that Ctrl-C in a terminal does not reach it, and so that it can be ended together with what it
 * started. Any number of threads may run commands at the same time. */
#ifndef MILLRACE_CLI_COMMON_CHILD_H
#define MILLRACE_CLI_COMMON_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/slice.h"

enum child_end {
	CHILD_EXITED,     /* detail: its exit status */
	CHILD_SIGNALLED,  /* detail: the signal that ended it, which was not ours */
	CHILD_LATE,       /* it took longer than its limit, and was ended */
	CHILD_STOPPED,    /* it was ended because stop_fd says so */
	CHILD_WORDY,      /* it wrote more than max_output, and was ended */
	CHILD_IMPOSSIBLE, /* it could not be started; detail: errno */
};

struct child_task {
	char *const *argv; /* argv[0] is looked for in $PATH */
	char *const *environment;
	struct slice input;    /* a command need not read it */
	struct buffer *output; /* what it writes until it exits is appended; NULL: its standard output is ours */
	size_t max_output;
	int64_t limit_ms; /* negative: none */
	int stop_fd;      /* the command is ended when this can be read */
};

/* Runs it, and returns when it has ended. What has to be ended gets SIGTERM, and 5 s later SIGKILL. Processes that a
 * command leaves behind when it exits by itself are left alone, and what they write is not waited for. */
enum child_end child_run(const struct child_task *task, int *detail);

/* Whether there is such a program: 0, or the errno of execvp(). */
int child_find_program(const char *program);

/* The environment of this process with n settings "NAME=TEXT" in the place of its own. One block, to be freed, which
 * points to the settings; NULL without memory. */
char **child_environment(char *const *settings, size_t n);

/* Reaps processes that commands have left behind and that this program has inherited: as process 1, or as a
 * "subreaper". Those of child_run() are left to it. From any thread; at SIGCHLD. */
void child_reap_orphans(void);

#endif
