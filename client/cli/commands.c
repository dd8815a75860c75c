#include "client/cli/command.h"

#include <string.h>

#define OPTION(id) (1u << OPTION_##id)
#define EXIT(code) (1u << EXIT_##code)

enum { COMMON_EXITS = EXIT(OK) | EXIT(ERROR) | EXIT(USAGE) | EXIT(CONNECT) | EXIT(DENIED) };

const struct command commands[] = {
	{
		.name = "put",
		.arguments = "CHANNEL [VALUE...]",
		.summary = "put values into a channel",
		.description = "Puts each VALUE, which is JSON (but null), in order. Without a VALUE it reads them from standard input, one a line; empty lines are\n"
			       "skipped (with --string they are empty strings). What is typed is put at once, line by line; from a file or pipe what is there is put\n"
			       "in batches. Where a channel has no room, it waits.\n"
			       "\n"
			       "The values that went in are always the first ones: it stops at a value that cannot go in, and says which. Only values that a\n"
			       "dropping channel sheds do not stop it: they are counted, and the exit code is 8 in the end. With --timeout it gives up when no\n"
			       "value has gone in for that time. On a terminal it shows how far it is, if that takes longer than a second.\n"
			       "\n"
			       "It prints nothing, but with -o json, at the end, {\"accepted\":N,\"dropped\":N,\"evicted\":N}.",
		.examples = "  millrace put jobs '{\"url\":\"http://x/y\"}' '{\"url\":\"http://x/z\"}'\n"
			    "  millrace put -s names Ada Grace\n"
			    "  jq -c '.[]' jobs.json | millrace put jobs\n"
			    "  millrace put temperatures -- -5\n",
		.options = OPTION(STRING) | OPTION(TIMEOUT),
		.exits = COMMON_EXITS | EXIT(TIMEOUT) | EXIT(CLOSED) | EXIT(NO_CHANNEL) | EXIT(DROPPED),
		.min_args = 1,
		.max_args = -1,
		.run = run_put,
	},
	{
		.name = "take",
		.arguments = "CHANNEL",
		.summary = "take values from a channel",
		.description = "Takes a value, or with -n up to N, and prints each on a line of its own as soon as it has come. It waits while there is none; with\n"
			       "--timeout at most that long for each. With --follow it goes on until the channel is closed, which is then a success. (A promise\n"
			       "gives its one value again and again.) When whoever reads its output goes away, it ends, and takes no more.\n"
			       "\n"
			       "text prints a value as it was put (but never on more than one line), raw prints strings without quotes and escapes and other values\n"
			       "as they are, json prints {\"channel\":NAME,\"value\":VALUE}.",
		.examples = "  millrace take jobs\n"
			    "  millrace take jobs -n 10 --timeout 5s\n"
			    "  millrace take jobs --follow | while read -r job; do handle \"$job\"; done\n",
		.options = OPTION(NUMBER) | OPTION(FOLLOW) | OPTION(TIMEOUT),
		.exits = COMMON_EXITS | EXIT(TIMEOUT) | EXIT(CLOSED) | EXIT(NO_CHANNEL),
		.min_args = 1,
		.max_args = 1,
		.run = run_take,
	},
	{
		.name = "alts",
		.arguments = "--take CHANNEL | --put CHANNEL VALUE ...",
		.summary = "take or put on one of many channels, whichever can first",
		.description = "Waits until one of its arms can happen, and does that one alone. An arm takes from a channel, or puts a value (JSON) into one; there\n"
			       "may be 64 of them. If several can, any of them happens, or with --priority the first.\n"
			       "\n"
			       "text prints the arm's number (from 0), its channel and the value that was taken; raw prints only the value, as `take` does; json\n"
			       "prints {\"arm\":N,\"channel\":NAME,\"value\":VALUE,\"status\":WORD}.",
		.examples = "  millrace alts --take requests --take control --timeout 250\n"
			    "  millrace alts --priority --put log '\"ready\"' --take stop\n",
		.options = OPTION(TAKE) | OPTION(PUT) | OPTION(PRIORITY) | OPTION(STRING) | OPTION(TIMEOUT),
		.exits = COMMON_EXITS | EXIT(TIMEOUT) | EXIT(CLOSED) | EXIT(NO_CHANNEL) | EXIT(DROPPED),
		.min_args = 0,
		.max_args = 0,
		.run = run_alts,
	},
	{
		.name = "create",
		.arguments = "CHANNEL KIND [CAPACITY]",
		.summary = "create a channel",
		.description = "Creates a channel, or finds that it is there already in the same form. KIND says what happens to a put when there is no room:\n"
			       "  unbuffered  it waits for a take: both happen together\n"
			       "  bounded     it waits for room: CAPACITY values fit\n"
			       "  dropping    the new value is dropped\n"
			       "  sliding     the oldest value is dropped\n"
			       "  promise     the first value stays for ever, later ones are dropped\n"
			       "bounded, dropping and sliding need a CAPACITY.",
		.examples = "  millrace create jobs bounded 32\n"
			    "  millrace create answer promise\n",
		.options = OPTION(MAX_WAITERS),
		.exits = COMMON_EXITS,
		.min_args = 2,
		.max_args = 3,
		.run = run_create,
	},
	{
		.name = "close",
		.arguments = "CHANNEL",
		.summary = "close a channel to puts; what is in it can still be taken",
		.description = "Closes a channel: it accepts no more puts. What is in it, or waits to be put, can still be taken; then every take is told that the\n"
			       "channel is closed. Closing it again changes nothing.",
		.examples = "  millrace close jobs\n",
		.exits = COMMON_EXITS | EXIT(NO_CHANNEL),
		.min_args = 1,
		.max_args = 1,
		.run = run_close,
	},
	{
		.name = "delete",
		.arguments = "CHANNEL",
		.summary = "delete a channel",
		.description = "Deletes a channel. While there are values in it, or waiting to be put, only with --force: they are discarded, and it says how many.\n"
			       "Whoever waits on it is told that it is closed.",
		.examples = "  millrace delete jobs\n"
			    "  millrace delete jobs --force\n",
		.options = OPTION(FORCE),
		.exits = COMMON_EXITS | EXIT(NO_CHANNEL),
		.min_args = 1,
		.max_args = 1,
		.run = run_delete,
	},
	{
		.name = "ls",
		.arguments = "[GLOB]",
		.summary = "list channels",
		.description = "Lists the channels whose names match GLOB (* any text, ? any one character, [a-z] one of these), or all. PUTS and TAKES wait now;\n"
			       "ACCEPTED, TAKEN, DROPPED and EVICTED count from the channel's beginning. json prints one object a line, raw the same columns with\n"
			       "tabs between them and no heading.",
		.examples = "  millrace ls\n"
			    "  millrace ls 'jobs.*'\n"
			    "  millrace ls -o json | jq -r 'select(.dropped > 0).channel'\n",
		.exits = COMMON_EXITS,
		.min_args = 0,
		.max_args = 1,
		.run = run_ls,
	},
	{
		.name = "stat",
		.arguments = "CHANNEL",
		.summary = "show all numbers of a channel",
		.description = "Shows what a channel is, what is in it, and its books, a line each. json prints them as one object, raw with a tab between name and\n"
			       "number.",
		.examples = "  millrace stat jobs\n"
			    "  millrace stat jobs -o json | jq .buffered\n",
		.exits = COMMON_EXITS | EXIT(NO_CHANNEL),
		.min_args = 1,
		.max_args = 1,
		.run = run_stat,
	},
	{
		.name = "peek",
		.arguments = "CHANNEL",
		.summary = "look at the values in a channel without taking them",
		.description = "Prints the oldest value in a channel's buffer, or with -n up to N, as `take` would, and takes nothing. It never waits.",
		.examples = "  millrace peek jobs -n 5\n",
		.options = OPTION(NUMBER),
		.exits = COMMON_EXITS | EXIT(NO_CHANNEL),
		.min_args = 1,
		.max_args = 1,
		.run = run_peek,
	},
	{
		.name = "waiters",
		.arguments = "[CHANNEL]",
		.summary = "show who waits",
		.description = "Lists the requests that wait, on one channel or on all, the oldest first. json prints one object a line, raw the same columns with\n"
			       "tabs between them and no heading.",
		.examples = "  millrace waiters\n"
			    "  millrace waiters jobs -o json | jq .name\n",
		.exits = COMMON_EXITS | EXIT(NO_CHANNEL),
		.min_args = 0,
		.max_args = 1,
		.run = run_waiters,
	},
	{
		.name = "ping",
		.arguments = "",
		.summary = "see whether the daemon answers, and how fast",
		.description = "Asks the daemon for an answer, and prints how many milliseconds that took; with -n N times, one after the other. Without --timeout it\n"
			       "waits 5 s for each.",
		.examples = "  millrace ping\n"
			    "  millrace ping -q && echo it is there\n",
		.options = OPTION(NUMBER) | OPTION(TIMEOUT),
		.exits = COMMON_EXITS | EXIT(TIMEOUT),
		.min_args = 0,
		.max_args = 0,
		.run = run_ping,
	},
	{
		.name = "bench",
		.arguments = "",
		.summary = "measure how fast values go through the daemon",
		.description = "Puts values through a channel of its own for some seconds, and tells how many arrived a second, and how long each took from its put to its\n"
			       "arrival. The channel goes away at the end. Every producer and consumer is a thread with a connection, and keeps so many requests in\n"
			       "flight as --window says: with 1 you see latencies of one at a time, with more what the daemon can carry. Over channels that buffer\n"
			       "(1000 values) a value's time includes its time in the queue. On a terminal it shows how it goes; Ctrl-C ends it early, and it tells what\n"
			       "it has measured.\n"
			       "\n"
			       "json prints one object, raw a line for each number with a tab between name and number. Times are microseconds.",
		.examples = "  millrace bench\n"
			    "  millrace bench --kind unbuffered --window 1 --duration 10s\n"
			    "  millrace bench -p 4 -c 4 --size 1024 --batch 64 -o json | jq .per_second\n",
		.options = OPTION(PRODUCERS) | OPTION(CONSUMERS) | OPTION(SIZE) | OPTION(WINDOW) | OPTION(BATCH) | OPTION(DURATION) | OPTION(KIND),
		.exits = COMMON_EXITS,
		.min_args = 0,
		.max_args = 0,
		.run = run_bench,
	},
	{.name = NULL},
};

const struct command *command_find(const char *name)
{
	for (const struct command *command = commands; command->name; command++) {
		if (strcmp(command->name, name) == 0)
			return command;
	}
	return NULL;
}
