/* The commands: one row each in a table, and one call of a command as the words of the shell asked for it. */
#ifndef MILLRACE_CLI_COMMAND_H
#define MILLRACE_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cli/top_rows.h"
#include "proto/message.h"

enum exit_code { /* what shells branch on; told by every --help */
		 EXIT_OK = 0,
		 EXIT_ERROR = 1,
		 EXIT_USAGE = 2,
		 EXIT_TIMEOUT = 3,
		 EXIT_CLOSED = 4,
		 EXIT_CONNECT = 5,
		 EXIT_DENIED = 6,
		 EXIT_NO_CHANNEL = 7,
		 EXIT_DROPPED = 8,
		 EXIT_INTERRUPTED = 130, /* as shells say it of a program that Ctrl-C ended */
};

enum option_id {
	OPTION_URL, /* the first eight are every command's */
	OPTION_OUTPUT,
	OPTION_QUIET,
	OPTION_HELP,
	OPTION_CA,
	OPTION_CERT,
	OPTION_KEY,
	OPTION_INSECURE,
	OPTION_TIMEOUT,
	OPTION_NUMBER,
	OPTION_FOLLOW,
	OPTION_STRING,
	OPTION_TAKE,
	OPTION_PUT,
	OPTION_PRIORITY,
	OPTION_MAX_WAITERS,
	OPTION_FORCE,
	OPTION_PRODUCERS,
	OPTION_CONSUMERS,
	OPTION_SIZE,
	OPTION_WINDOW,
	OPTION_BATCH,
	OPTION_DURATION,
	OPTION_KIND,
	OPTION_JOBS,
	OPTION_TO,
	OPTION_FAILED,
	OPTION_RETRY,
	OPTION_BACKOFF,
	OPTION_LIMIT,
	OPTION_LEASE,
	OPTION_LEASED, /* --lease too, of commands that do not lease unless they are told to */
	OPTION_DELAY,
	OPTION_MAX_DELIVERIES,
	OPTION_DEAD_LETTER,
	OPTION_ONCE,
	OPTION_SORT,
	OPTION_VERSION,
	N_OPTIONS
};

#define OPTION_BIT(id) (UINT64_C(1) << (id)) /* of enum option_id */

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_RAW };

struct call;

struct command {
	const char *name;
	const char *arguments; /* as the usage shows them */
	const char *summary;   /* one line of the list of commands */
	const char *description;
	const char *examples;
	uint64_t options; /* bits: OPTION_BIT(), beside those that every command has */
	unsigned exits;   /* bits: 1u << enum exit_code; for the help */
	int min_args;
	int max_args; /* -1: any number */
	int (*run)(const struct call *call);
};

/* The table; the row after the last has no name. */
extern const struct command commands[];
const struct command *command_find(const char *name); /* or NULL */

struct call_arm { /* of alts */
	const char *channel;
	const char *value; /* of a put arm; a take arm: NULL */
};

struct call {
	const struct command *command; /* NULL: none yet, only options before the command */
	const char *url;               /* NULL: the library's default */
	const char *ca, *cert, *key;   /* NULL: not given */
	bool insecure;
	enum format format;
	bool quiet;
	bool wants_help;
	bool wants_version;
	bool follow;
	bool strings;
	bool priority;
	bool force;
	bool once;
	enum top_order order;
	int64_t timeout_ms; /* MR_FOREVER: not given */
	uint64_t number;    /* 0: not given */
	uint64_t max_waiters;
	uint64_t producers, consumers, size, window, batch; /* of bench; 0: not given */
	int64_t duration_ms;                                /* 0: not given */
	const char *kind;                                   /* NULL: not given */
	uint64_t jobs;                                      /* 0: not given */
	uint64_t retries;
	int64_t backoff_ms;      /* MR_FOREVER: not given */
	int64_t limit_ms;        /* MR_FOREVER: none */
	int64_t lease_ms;        /* MR_FOREVER: not given; 0: none */
	int64_t delay_ms;        /* of nack */
	uint64_t max_deliveries; /* 0: not given */
	const char *dead_letter; /* NULL: not given */
	const char *to;          /* NULL: not given */
	const char *failed;
	struct call_arm arms[MESSAGE_MAX_ARMS];
	size_t n_arms;
	char **args;
	int n_args;
};

int run_token(const struct call *call);
int run_put(const struct call *call);
int run_take(const struct call *call);
int run_alts(const struct call *call);
int run_create(const struct call *call);
int run_close(const struct call *call);
int run_delete(const struct call *call);
int run_ls(const struct call *call);
int run_stat(const struct call *call);
int run_peek(const struct call *call);
int run_waiters(const struct call *call);
int run_top(const struct call *call);
int run_ping(const struct call *call);
int run_ack(const struct call *call);
int run_nack(const struct call *call);
int run_extend(const struct call *call);
int run_bench(const struct call *call);
int run_work(const struct call *call);
int run_serve(const struct call *call);
int run_request(const struct call *call);
int run_completion(const struct call *call);

#endif
