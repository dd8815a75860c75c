/* A command, and one call of it as the shell's arguments asked for it. Every command is a row that stands in the file
 * of its name, beside the code that it runs; main.c has the list of them. */
#ifndef MILLRACE_CLI_COMMON_COMMAND_H
#define MILLRACE_CLI_COMMON_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cli/common/top_rows.h"
#include "client/millrace.h"
#include "proto/message.h"

enum exit_code { /* what shells branch on; every --help has those of its command */
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
	OPTION_URL, /* these, up to OPTION_LAST_COMMON, are every command's */
	OPTION_CONTEXT,
	OPTION_OUTPUT,
	OPTION_QUIET,
	OPTION_HELP,
	OPTION_CA,
	OPTION_CERT,
	OPTION_KEY,
	OPTION_INSECURE,
	OPTION_CONNECT_TIMEOUT,
	OPTION_LAST_COMMON = OPTION_CONNECT_TIMEOUT,
	OPTION_TIMEOUT,
	OPTION_NUMBER,
	OPTION_FOLLOW,
	OPTION_FOLLOW_BATCH,
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
	OPTION_LEASED,    /* --lease too, of commands that do not lease unless they are told to */
	OPTION_EXTENSION, /* --lease too, of `extend` */
	OPTION_DELAY,     /* of nack */
	OPTION_PUT_DELAY, /* --delay too, of `put` */
	OPTION_UNCOUNTED,
	OPTION_CAPACITY,
	OPTION_NO_DEAD_LETTER,
	OPTION_MAX_DELIVERIES,
	OPTION_DEAD_LETTER,
	OPTION_ONCE,
	OPTION_SORT,
	OPTION_NO_RECONNECT,
	OPTION_SLIDING,
	OPTION_DROPPING,
	OPTION_BOUNDED,
	OPTION_UNBUFFERED,
	OPTION_MATCH,
	OPTION_STATE,
	OPTION_KEEP_OPEN,
	OPTION_LIVE_BATCH, /* --batch too, of `tap` */
	OPTION_VERSION,
	N_OPTIONS
};

/* Bits of the sets below. */
#define OPTION_BIT(id) (UINT64_C(1) << (id))
#define EXIT_BIT(code) (1u << (code))

enum {
	COMMON_EXITS = EXIT_BIT(EXIT_OK) | EXIT_BIT(EXIT_ERROR) | EXIT_BIT(EXIT_USAGE) | EXIT_BIT(EXIT_CONNECT) |
		       EXIT_BIT(EXIT_DENIED)
};

enum { COMMAND_MAX_CAPACITY = 1000000000 }; /* of a channel; what the daemon allows may be less */

enum { COMMAND_MAX_MATCHES = 32 }; /* of a tap, as the daemon takes them */

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_RAW };

struct call;
struct listing;

struct command {
	const char *name;
	const char *arguments; /* as the usage shows them; usage.h reads from it how many there may be */
	const char *summary;   /* one line of the list of commands */

	/* Paragraphs, which help.c folds: a line's end in one is as good as a space. A line that begins with two spaces
	 * stays a line of its own. */
	const char *description;
	const char *examples; /* lines that stay as they are */
	uint64_t options;     /* OPTION_BIT()s, beside those that every command has */
	unsigned exits;       /* EXIT_BIT()s */

	/* Says what is wrong with the call, beside its number of arguments and its channels' names: EXIT_OK, or
	 * EXIT_USAGE and told. NULL: nothing can be. */
	int (*check)(const struct call *call);

	/* One of the two does the work, the second with a connection. They return the exit code. */
	int (*run)(const struct call *call);
	int (*run_connected)(const struct call *call, mr *m);
	const struct listing *listing; /* of listing_run(); else NULL */
};

struct call_arm { /* of alts */
	const char *channel;
	const char *value; /* of a put arm; a take arm: NULL */
};

struct call {
	const struct command *const *commands; /* all there are, NULL behind the last */
	const struct command *command;         /* NULL: none yet, only options before the command */
	const char *url;                       /* NULL: not given */
	const char *context;                   /* NULL: not given */
	const char *ca, *cert, *key;           /* NULL: not given */
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
	bool no_reconnect;
	bool uncounted;
	bool no_dead_letter;
	bool keep_open;
	enum top_order order;
	int64_t connect_timeout_ms; /* 0: not given */
	int64_t timeout_ms;         /* MR_FOREVER: not given */
	uint64_t number;            /* 0: not given */
	uint64_t max_waiters;
	uint64_t producers, consumers, size, window, batch; /* of bench, batch of take too; 0: not given */
	int64_t duration_ms;                                /* 0: not given */
	const char *kind;                                   /* NULL: not given */
	uint64_t jobs;                                      /* 0: not given */
	uint64_t retries;
	int64_t backoff_ms;      /* MR_FOREVER: not given */
	int64_t limit_ms;        /* MR_FOREVER: none */
	int64_t lease_ms;        /* MR_FOREVER: not given; 0: none */
	int64_t delay_ms;        /* of nack and put; 0: none */
	uint64_t capacity;       /* of alter, and of a subscription's channel; 0: not given */
	uint64_t max_deliveries; /* 0: not given */
	const char *dead_letter; /* NULL: not given */
	const char *to;          /* NULL: not given */
	const char *failed;
	const char *state; /* of a tap; NULL: not given */
	const char *matches[COMMAND_MAX_MATCHES];
	size_t n_matches;
	struct call_arm arms[MESSAGE_MAX_ARMS];
	size_t n_arms;
	char **args;
	int n_args;
};

/* clang-format off */
extern const struct command
	put_command, take_command, alts_command, create_command, ack_command, nack_command, extend_command,
	close_command, delete_command, ls_command, stat_command, peek_command, tap_command, untap_command,
	taps_command, waiters_command, top_command, ping_command, bench_command, work_command, request_command,
	serve_command, completion_command, token_command, context_command, alter_command, move_command,
	leases_command, cluster_command, help_command;
/* clang-format on */

#endif
