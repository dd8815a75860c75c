#include "client/cli/command.h"

#include <string.h>

#define OPTION(id) OPTION_BIT(OPTION_##id)
#define EXIT(code) (1u << EXIT_##code)

enum { COMMON_EXITS = EXIT(OK) | EXIT(ERROR) | EXIT(USAGE) | EXIT(CONNECT) | EXIT(DENIED) };

const struct command commands[] = {
	{
		.name = "put",
		.arguments = "CHANNEL [VALUE...]",
		.summary = "put values into a channel",
		.description = "Puts each VALUE, which is JSON (but null), in order. Without a VALUE it reads them "
			       "from standard input, one a line; empty lines are\n"
			       "skipped (with --string they are empty strings). What is typed is put at once, line by "
			       "line; from a file or pipe what is there is put\n"
			       "in batches. Where a channel has no room, it waits.\n"
			       "\n"
			       "The values that went in are always the first ones: it stops at a value that cannot go "
			       "in, and says which. Only values that a\n"
			       "dropping channel sheds do not stop it: they are counted, and the exit code is 8 in the "
			       "end. With --timeout it gives up when no\n"
			       "value has gone in for that time. On a terminal it shows how far it is, if that takes "
			       "longer than a second.\n"
			       "\n"
			       "It prints nothing, but with -o json, at the end, "
			       "{\"accepted\":N,\"dropped\":N,\"evicted\":N}.",
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
		.description =
			"Takes a value, or with -n up to N, and prints each on a line of its own as soon as it has "
			"come. It waits while there is none; with\n"
			"--timeout at most that long for each. With --follow it goes on until the channel is closed, "
			"which is then a success. (A promise\n"
			"gives its one value again and again.) When whoever reads its output goes away, it ends, and "
			"takes no more; with --follow up to 32\n"
			"values may be on their way to it then, and are lost.\n"
			"\n"
			"text prints a value as it was put (but never on more than one line), raw prints strings "
			"without quotes and escapes and other values\n"
			"as they are, json prints {\"channel\":NAME,\"value\":VALUE}.\n"
			"\n"
			"With --lease each value is only leased, and stands behind its lease and a number, how often "
			"it was delivered: LEASE N VALUE (json:\n"
			"\"lease\" and \"deliveries\"; raw: with tabs). The lease goes on when this program has ended. "
			"What becomes of it is said by `millrace\n"
			"ack LEASE`, `nack` and `extend`; when its time is over, the value is back in the channel.",
		.examples = "  millrace take jobs\n"
			    "  millrace take jobs -n 10 --timeout 5s\n"
			    "  millrace take jobs --lease 1m | while read -r lease n job; do handle \"$job\" && "
			    "millrace ack \"$lease\"; done\n"
			    "  millrace take jobs --follow | while read -r job; do handle \"$job\"; done\n",
		.options = OPTION(NUMBER) | OPTION(FOLLOW) | OPTION(TIMEOUT) | OPTION(LEASED),
		.exits = COMMON_EXITS | EXIT(TIMEOUT) | EXIT(CLOSED) | EXIT(NO_CHANNEL),
		.min_args = 1,
		.max_args = 1,
		.run = run_take,
	},
	{
		.name = "alts",
		.arguments = "--take CHANNEL | --put CHANNEL VALUE ...",
		.summary = "take or put on one of many channels, whichever can first",
		.description = "Waits until one of its arms can happen, and does that one alone. An arm takes from a "
			       "channel, or puts a value (JSON) into one; there\n"
			       "may be 64 of them. If several can, any of them happens, or with --priority the first.\n"
			       "\n"
			       "text prints the arm's number (from 0), its channel and the value that was taken; raw "
			       "prints only the value, as `take` does; json\n"
			       "prints {\"arm\":N,\"channel\":NAME,\"value\":VALUE,\"status\":WORD}. With --lease what "
			       "is taken is only leased, as with `take`, and its lease\n"
			       "and how often it was delivered stand before it (json: \"lease\", \"deliveries\").",
		.examples = "  millrace alts --take requests --take control --timeout 250\n"
			    "  millrace alts --priority --put log '\"ready\"' --take stop\n",
		.options = OPTION(TAKE) | OPTION(PUT) | OPTION(PRIORITY) | OPTION(STRING) | OPTION(TIMEOUT) |
			   OPTION(LEASED),
		.exits = COMMON_EXITS | EXIT(TIMEOUT) | EXIT(CLOSED) | EXIT(NO_CHANNEL) | EXIT(DROPPED),
		.min_args = 0,
		.max_args = 0,
		.run = run_alts,
	},
	{
		.name = "create",
		.arguments = "CHANNEL KIND [CAPACITY]",
		.summary = "create a channel",
		.description = "Creates a channel, or finds that it is there already in the same form. KIND says what "
			       "happens to a put when there is no room:\n"
			       "  unbuffered  it waits for a take: both happen together\n"
			       "  bounded     it waits for room: CAPACITY values fit\n"
			       "  dropping    the new value is dropped\n"
			       "  sliding     the oldest value is dropped\n"
			       "  promise     the first value stays for ever, later ones are dropped\n"
			       "bounded, dropping and sliding need a CAPACITY.",
		.examples = "  millrace create jobs bounded 32\n"
			    "  millrace create answer promise\n"
			    "  millrace create jobs bounded 32 --max-deliveries 5 --dead-letter failed\n",
		.options = OPTION(MAX_WAITERS) | OPTION(MAX_DELIVERIES) | OPTION(DEAD_LETTER),
		.exits = COMMON_EXITS,
		.min_args = 2,
		.max_args = 3,
		.run = run_create,
	},
	{
		.name = "ack",
		.arguments = "LEASE...",
		.summary = "a leased value is done, and gone",
		.description = "Says that what was taken with these leases is done: it is gone from the daemon. A "
			       "lease that has ended is an error: its value is, or\n"
			       "will be, somebody else's.",
		.examples = "  millrace ack \"$lease\"\n",
		.exits = COMMON_EXITS,
		.min_args = 1,
		.max_args = -1,
		.run = run_ack,
	},
	{
		.name = "nack",
		.arguments = "LEASE...",
		.summary = "a leased value is not done, and goes back",
		.description =
			"Says that what was taken with these leases is not done: it goes back to its place in its "
			"channel, at once or after --delay, and is\n"
			"delivered once more; or to the channel's dead-letter channel, if it was delivered too often.",
		.examples = "  millrace nack \"$lease\" --delay 30s\n",
		.options = OPTION(DELAY),
		.exits = COMMON_EXITS,
		.min_args = 1,
		.max_args = -1,
		.run = run_nack,
	},
	{
		.name = "extend",
		.arguments = "LEASE... --lease TIME",
		.summary = "a leased value needs more time",
		.description = "Gives these leases so much time, from now on.",
		.examples = "  millrace extend \"$lease\" --lease 5m\n",
		.options = OPTION(LEASED),
		.exits = COMMON_EXITS,
		.min_args = 1,
		.max_args = -1,
		.run = run_extend,
	},
	{
		.name = "close",
		.arguments = "CHANNEL",
		.summary = "close a channel to puts; what is in it can still be taken",
		.description = "Closes a channel: it accepts no more puts. What is in it, or waits to be put, can "
			       "still be taken; then every take is told that the\n"
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
		.description = "Deletes a channel. While there are values in it, or waiting to be put, only with "
			       "--force: they are discarded, and it says how many.\n"
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
		.description = "Lists the channels whose names match GLOB (* any text, ? any one character, [a-z] one "
			       "of these), or all. PUTS and TAKES wait now;\n"
			       "ACCEPTED, TAKEN, DROPPED and EVICTED count from the channel's beginning. json prints "
			       "one object a line, raw the same columns with\n"
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
		.description = "Shows what a channel is, what is in it, and its books, a line each. json prints them "
			       "as one object, raw with a tab between name and\n"
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
		.description = "Prints the oldest value in a channel's buffer, or with -n up to N, as `take` would, "
			       "and takes nothing. It never waits.",
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
		.description = "Lists the requests that wait, on one channel or on all, the oldest first. json prints "
			       "one object a line, raw the same columns with\n"
			       "tabs between them and no heading.",
		.examples = "  millrace waiters\n"
			    "  millrace waiters jobs -o json | jq .name\n",
		.exits = COMMON_EXITS | EXIT(NO_CHANNEL),
		.min_args = 0,
		.max_args = 1,
		.run = run_waiters,
	},
	{
		.name = "top",
		.arguments = "[GLOB]",
		.summary = "watch channels: depth, rates, what is shed, who waits",
		.description = "Shows the channels whose names match GLOB, or all, once a second, the deepest first. "
			       "Keys: d by depth, r by rate, s by what is shed, o by the oldest\n"
			       "waiter, n by name, q ends it. Rates are values a second. With --once, or where its "
			       "output is no terminal, it looks for one second and prints\n"
			       "a table, with -n its first N rows; json prints one object a line, raw the same columns "
			       "with tabs between them and no heading.",
		.examples = "  millrace top\n"
			    "  millrace top --once --sort shed -n 5\n"
			    "  millrace top --once -o json | jq -r 'select(.shed_rate > 0).channel'\n",
		.options = OPTION(ONCE) | OPTION(SORT) | OPTION(NUMBER),
		.exits = COMMON_EXITS,
		.min_args = 0,
		.max_args = 1,
		.run = run_top,
	},
	{
		.name = "ping",
		.arguments = "",
		.summary = "see whether the daemon answers, and how fast",
		.description = "Asks the daemon for an answer, and prints how many milliseconds that took; with -n N "
			       "times, one after the other. Without --timeout it\n"
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
		.description = "Puts values through a channel of its own for some seconds, and tells how many arrived "
			       "a second, and how long each took from its put to its\n"
			       "arrival. The channel goes away at the end. Every producer and consumer is a thread "
			       "with a connection, and keeps so many requests in\n"
			       "flight as --window says: with 1 you see latencies of one at a time, with more what the "
			       "daemon can carry. Over channels that buffer\n"
			       "(1000 values) a value's time includes its time in the queue. On a terminal it shows "
			       "how it goes; Ctrl-C ends it early, and it tells what\n"
			       "it has measured.\n"
			       "\n"
			       "json prints one object, raw a line for each number with a tab between name and number. "
			       "Times are microseconds.",
		.examples = "  millrace bench\n"
			    "  millrace bench --kind unbuffered --window 1 --duration 10s\n"
			    "  millrace bench -p 4 -c 4 --size 1024 --batch 64 -o json | jq .per_second\n",
		.options = OPTION(PRODUCERS) | OPTION(CONSUMERS) | OPTION(SIZE) | OPTION(WINDOW) | OPTION(BATCH) |
			   OPTION(DURATION) | OPTION(KIND),
		.exits = COMMON_EXITS,
		.min_args = 0,
		.max_args = 0,
		.run = run_bench,
	},
	{
		.name = "work",
		.arguments = "CHANNEL -- COMMAND [ARGUMENT...]",
		.summary = "run a command for each value of a channel",
		.description =
			"Takes values from CHANNEL, and runs COMMAND once for each, -j of them at a time, until the "
			"channel is closed and empty, or -n values are\n"
			"done. The command gets the value on its standard input, as one line of JSON; with --string "
			"the plain text of a string. It is run\n"
			"without a shell (for one, write sh -c '...'). A value is taken only when a command can begin "
			"with it.\n"
			"\n"
			"With --to what the command writes to standard output is put into that channel: one JSON "
			"value, or with --string any text, as a string\n"
			"without the line ends after it. Nothing written, nothing put. It waits for room there before "
			"it takes the next value. Results\n"
			"come in the order in which commands end. Without --to the commands write to this program's "
			"standard output.\n"
			"\n"
			"A command fails if its exit status is not 0, if a signal or --limit ends it, or if what it "
			"writes with --to is not JSON. With --retry it\n"
			"is tried again, after a pause. When it has failed for good, the value is put into the channel "
			"of --failed; without that, or if that\n"
			"cannot be, it goes back to its place in CHANNEL, to be delivered once more after a pause, and "
			"the exit code is 1 in the end. An exit\n"
			"status of 255 is not tried again, and stops all, as with xargs.\n"
			"\n"
			"Until its command has done it, a value is only leased, and the lease extended as long as need "
			"be: if this program is killed, or its\n"
			"machine, the value goes back to CHANNEL, so each is done at least once. How often it is "
			"delivered before it goes to a\n"
			"dead letter channel is the definition of CHANNEL: max_deliveries. With --lease 0 (which a "
			"promise needs) a value is taken for good: then one that\n"
			"has failed is written to standard error, all of it, and one that is being done is lost with "
			"this program.\n"
			"\n"
			"Ctrl-C, SIGTERM or SIGHUP: no more values are taken; commands that run go on to their end, "
			"and their results are put; one that waits for\n"
			"its next attempt has it now, and no other. A second signal ends the commands: SIGTERM, and 5 "
			"s later SIGKILL. Their values have\n"
			"failed for good.\n"
			"\n"
			"The command finds in its environment: MILLRACE_CHANNEL, where the value came from; "
			"MILLRACE_ATTEMPT, 1 for the first; MILLRACE_DELIVERY,\n"
			"1 for the first, if it is leased; MILLRACE_WORKER, 1 to -j, of which no two are the same at a "
			"time; MILLRACE_URL, if --url was given. Other than with xargs, Ctrl-C in a terminal\n"
			"does not reach it. The exit code is 3 if no value came for --timeout, 130 after Ctrl-C, 0 "
			"after SIGTERM. With -o json it\n"
			"prints in the end {\"done\":N,\"failed\":N,\"dropped\":N,\"lost\":N,\"returned\":N}.",
		.examples = "  millrace work jobs -j 4 -- ./handle\n"
			    "  millrace work urls --to pages --failed bad-urls -j 8 --retry 3 --limit 30s -s -- xargs "
			    "curl -fsS\n"
			    "  millrace work photos -n 100 -- sh -c 'convert \"$(jq -r .path)\" -resize 50% "
			    "\"/tmp/$MILLRACE_WORKER.png\"'\n",
		.options = OPTION(JOBS) | OPTION(TO) | OPTION(FAILED) | OPTION(RETRY) | OPTION(BACKOFF) |
			   OPTION(LIMIT) | OPTION(LEASE) | OPTION(NUMBER) | OPTION(TIMEOUT) | OPTION(STRING),
		.exits = COMMON_EXITS | EXIT(TIMEOUT) | EXIT(CLOSED) | EXIT(NO_CHANNEL) | EXIT(DROPPED),
		.min_args = 2,
		.max_args = -1,
		.run = run_work,
	},
	{
		.name = "request",
		.arguments = "CHANNEL [VALUE]",
		.summary = "ask whoever serves a channel, and print the answer",
		.description = "Puts VALUE, which is JSON (but null), into CHANNEL as a request, waits for the answer, "
			       "and prints it as `take` would. Without VALUE it\n"
			       "reads it from standard input, all of that. --timeout is for the whole.\n"
			       "\n"
			       "What is put is {\"reply_to\":NAME,\"request\":VALUE}; NAME is a channel made for this "
			       "one answer, which goes away with this program. Whoever takes\n"
			       "the request puts {\"reply\":VALUE} into it, or {\"error\":TEXT}: then that is told, "
			       "and the exit code is 1. `millrace serve` does so.",
		.examples = "  millrace request sums '[1, 2, 3]' --timeout 5s\n"
			    "  millrace request -s greet Ada\n",
		.options = OPTION(TIMEOUT) | OPTION(STRING),
		.exits = COMMON_EXITS | EXIT(TIMEOUT) | EXIT(CLOSED) | EXIT(NO_CHANNEL) | EXIT(DROPPED),
		.min_args = 1,
		.max_args = 2,
		.run = run_request,
	},
	{
		.name = "serve",
		.arguments = "CHANNEL -- COMMAND [ARGUMENT...]",
		.summary = "answer the requests of a channel by a command",
		.description = "Takes requests from CHANNEL, as `millrace request` puts them, and runs COMMAND once "
			       "for each, -j of them at a time. What `millrace help work`\n"
			       "says of commands, signals and the environment holds here too. The command gets the "
			       "value of the request on standard input, and what it\n"
			       "writes is the answer: one JSON value, or with --string any text. A command that fails "
			       "for good, or writes nothing, is answered by\n"
			       "an error, in words.\n"
			       "\n"
			       "The channel for the answer must be one whose name the daemon made up, and must have "
			       "room (a promise has): an answer is not waited\n"
			       "with. One that nobody waits for any more is thrown away, and told. What is no request "
			       "is told and, if it names a channel for the\n"
			       "answer, answered by an error.",
		.examples = "  millrace serve sums -j 4 -- jq -c add\n"
			    "  millrace serve -s greet -- sed 's/^/Hello, /'\n",
		.options = OPTION(JOBS) | OPTION(RETRY) | OPTION(BACKOFF) | OPTION(LIMIT) | OPTION(LEASE) |
			   OPTION(NUMBER) | OPTION(TIMEOUT) | OPTION(STRING),
		.exits = COMMON_EXITS | EXIT(TIMEOUT) | EXIT(NO_CHANNEL),
		.min_args = 2,
		.max_args = -1,
		.run = run_serve,
	},
	{
		.name = "completion",
		.arguments = "SHELL",
		.summary = "print what makes a shell complete millrace's words",
		.description = "Prints a script for SHELL, bash or zsh, that completes commands, options and the names "
			       "of channels, for which it asks the daemon. An\n"
			       "installed millrace has it in place already.",
		.examples =
			"  eval \"$(millrace completion bash)\"        # in ~/.bashrc\n"
			"  millrace completion zsh > ~/.zfunc/_millrace  # with ~/.zfunc in $fpath, before compinit\n",
		.exits = EXIT(OK) | EXIT(ERROR) | EXIT(USAGE),
		.min_args = 1,
		.max_args = 1,
		.run = run_completion,
	},
	{
		.name = "token",
		.arguments = "",
		.summary = "make a token for a user of the daemon",
		.description = "Makes a token: a secret by which a user logs in. It prints two lines: the token, for "
			       "the user ($MILLRACE_TOKEN, or a file that\n"
			       "$MILLRACE_TOKEN_FILE names), and what the daemon's configuration has of it (`users: "
			       "{NAME: {token: ...}}`), from which the token\n"
			       "cannot be found out. No daemon is asked. json prints {\"token\":TOKEN,\"hash\":HASH}.",
		.examples = "  millrace token\n"
			    "  millrace token -o json | jq -r .hash\n",
		.exits = EXIT(OK) | EXIT(ERROR) | EXIT(USAGE),
		.min_args = 0,
		.max_args = 0,
		.run = run_token,
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
