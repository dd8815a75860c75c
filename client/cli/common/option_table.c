#include "client/cli/common/option_table.h"

#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "client/cli/common/load.h"
#include "client/cli/common/report.h"
#include "client/cli/common/units.h"
#include "client/cli/common/usage.h"

enum {
	MAX_JOBS = 1000, /* each has a request parked: the daemon's default allows 1024 a connection */
	MAX_RETRIES = 1000000,
	MAX_WAITERS = 10000000,
	MAX_SIZE = 16 * 1024 * 1024,
};

/* -- What an option's word means: 0, or EXIT_USAGE with the mistake told -- */

static void *field_of(struct call *call, const struct option_row *row)
{
	return (char *)call + row->offset;
}

static int set_flag(struct call *call, const struct option_row *row, const char *word)
{
	(void)word;
	*(bool *)field_of(call, row) = true;
	return 0;
}

static int set_string(struct call *call, const struct option_row *row, const char *word)
{
	*(const char **)field_of(call, row) = word;
	return 0;
}

static int set_channel(struct call *call, const struct option_row *row, const char *word)
{
	*(const char **)field_of(call, row) = word;
	return usage_check_channel(call, word);
}

static int set_count(struct call *call, const struct option_row *row, const char *word)
{
	if (units_parse_count(word, row->lowest, row->highest, field_of(call, row)) < 0)
		return report_usage(call, "'%s' is not a number of %s; give %" PRIu64 " to %" PRIu64, word, row->what,
				    row->lowest, row->highest);
	return 0;
}

static int set_time(struct call *call, const struct option_row *row, const char *word)
{
	int64_t *ms = field_of(call, row);

	if (units_parse_ms(word, ms) < 0 || *ms < (int64_t)row->lowest)
		return report_usage(call, "'%s' is not a %s", word, row->what);
	return 0;
}

/* Which of the row's choices it is, from 0; -1: none. */
static int find_choice(const struct option_row *row, const char *word)
{
	size_t len = strlen(word), own;
	int n = 0;

	for (const char *at = row->choices; *at; n++) {
		own = strcspn(at, " ");
		if (own == len && strncmp(at, word, len) == 0)
			return n;
		at += own + strspn(at + own, " ");
	}
	return -1;
}

static int set_choice(struct call *call, const struct option_row *row, const char *word)
{
	if (find_choice(row, word) < 0)
		return report_usage(call, "'%s' is no %s", word, row->what);
	return set_string(call, row, word);
}

/* -- Options that are like no others -- */

static int set_output(struct call *call, const struct option_row *row, const char *word)
{
	int choice = find_choice(row, word);

	if (choice < 0)
		return report_usage(call, "there is no output format '%s'; say text, json or raw", word);
	call->format = (enum format)choice;
	return 0;
}

static int set_order(struct call *call, const struct option_row *row, const char *word)
{
	(void)row;
	call->order = top_order_find(word);
	if (call->order == N_TOP_ORDERS)
		return report_usage(call, "'%s' is no order; say depth, rate, shed, oldest or name", word);
	return 0;
}

static int set_number(struct call *call, const struct option_row *row, const char *word)
{
	(void)row;
	if (units_parse_count(word, 1, UINT64_C(1) << 53, &call->number) < 0)
		return report_usage(call, "'%s' is not a number of 1 or more", word);
	return 0;
}

/* A subscription's channel is of the kind that is the option's name; a word is its capacity. */
static int set_subscription(struct call *call, const struct option_row *row, const char *word)
{
	if (call->kind)
		return report_usage(call, "--%s and --%s: a channel has one kind", call->kind, row->name);
	call->kind = row->name;
	return word ? set_count(call, &option_rows[OPTION_CAPACITY], word) : 0;
}

static int add_match(struct call *call, const struct option_row *row, const char *word)
{
	(void)row;
	if (call->n_matches == COMMAND_MAX_MATCHES)
		return report_usage(call, "a tap matches at most %d pointers", COMMAND_MAX_MATCHES);
	call->matches[call->n_matches++] = word;
	return 0;
}

static int add_arm(struct call *call, const char *channel, const char *value)
{
	if (call->n_arms == MESSAGE_MAX_ARMS)
		return report_usage(call, "an alts has at most %d arms", MESSAGE_MAX_ARMS);
	call->arms[call->n_arms++] = (struct call_arm){channel, value};
	return usage_check_channel(call, channel);
}

static int add_take(struct call *call, const struct option_row *row, const char *word)
{
	(void)row;
	return add_arm(call, word, NULL);
}

/* Its second word is the next of the arguments, whatever that looks like. */
static int add_put(struct call *call, const struct option_row *row, const char *word)
{
	(void)row;
	if (optind >= call->n_args)
		return report_usage(call, "--put takes two words, a channel and a value; there is no value after '%s'",
				    word);
	return add_arm(call, word, call->args[optind++]);
}

/* -- The table -- */

#define INTO(field) offsetof(struct call, field)
#define A_TIME      "time; write milliseconds, or 250ms, 5s, 1m, 1h"
#define A_LEASE     "time for a lease; write milliseconds, or 500ms, 30s, 1m, 1h"

const struct option_row option_rows[N_OPTIONS] = {
	[OPTION_URL] = {'u', "url", "URL",
			"the daemon: tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH; several with commas between "
			"them: the first that is there (else $MILLRACE_URL, else tcp://127.0.0.1:7223)",
			set_string, INTO(url)},
	[OPTION_CONTEXT] = {'c', "context", "NAME",
			    "a daemon by the name that `millrace context` lists (else $MILLRACE_CONTEXT)", set_string,
			    INTO(context)},
	[OPTION_OUTPUT] = {'o', "output", "FORMAT",
			   "text (default), json (one object a line) or raw (for other programs)", set_output,
			   .choices = "text json raw" /* as enum format has them */},
	[OPTION_QUIET] = {'q', "quiet", NULL,
			  "say nothing of success, progress, time-outs, closed channels, dropped values", set_flag,
			  INTO(quiet)},
	[OPTION_HELP] = {'h', "help", NULL, "explain this, and do nothing", set_flag, INTO(wants_help)},
	[OPTION_CA] = {0, "ca", "FILE",
		       "who signs the daemon's certificate (else $MILLRACE_CA, else whom the system trusts)",
		       set_string, INTO(ca)},
	[OPTION_CERT] = {0, "cert", "FILE",
			 "our own certificate, by which the daemon may know us (else $MILLRACE_CERT)", set_string,
			 INTO(cert)},
	[OPTION_KEY] = {0, "key", "FILE", "its key (else $MILLRACE_KEY)", set_string, INTO(key)},
	[OPTION_INSECURE] = {0, "insecure-accept-any-certificate", NULL,
			     "with tls://, whoever answers is the daemon: anybody may read along", set_flag,
			     INTO(insecure)},
	[OPTION_CONNECT_TIMEOUT] = {0, "connect-timeout", "TIME",
				    "wait at most so long for the first connection (default 5s)", set_time,
				    INTO(connect_timeout_ms),
				    "time to connect in; write milliseconds, or 500ms, 5s, 1m", 1},
	[OPTION_TIMEOUT] = {'t', "timeout", "TIME",
			    "wait at most so long: 250 or 250ms, 5s, 1m, 1h; 0: at once or not at all", set_time,
			    INTO(timeout_ms), A_TIME},
	[OPTION_NUMBER] = {'n', "number", "N",
			   "how many; by default 1 with `take`, `peek` and `ping`, else without a limit", set_number},
	[OPTION_FOLLOW] = {'f', "follow", NULL, "go on until the channel is closed", set_flag, INTO(follow)},
	[OPTION_FOLLOW_BATCH] = {0, "batch", "N",
				 "with --follow: how many values may be on their way at a time (default 1 into a pipe, "
				 "else 16); more is faster, and so many are lost if the reader goes away",
				 set_count, INTO(batch), "values", 1, 1000000},
	[OPTION_STRING] = {'s', "string", NULL, "values are not JSON, but the text of a string", set_flag,
			   INTO(strings)},
	[OPTION_TAKE] = {0, "take", "CHANNEL", "an arm that takes from a channel", add_take},
	[OPTION_PUT] = {0, "put", "CHANNEL VALUE", "an arm that puts a value into a channel", add_put},
	[OPTION_PRIORITY] = {'p', "priority", NULL, "the first arm that can happen does; else any of them", set_flag,
			     INTO(priority)},
	[OPTION_MAX_WAITERS] = {0, "max-waiters", "N",
				"how many requests may wait on the channel (else the daemon's default)", set_count,
				INTO(max_waiters), "waiters", 1, MAX_WAITERS},
	[OPTION_FORCE] = {0, "force", NULL, "even if there are values in it; they are discarded", set_flag,
			  INTO(force)},
	[OPTION_PRODUCERS] = {'p', "producers", "N", "connections that put (default 1)", set_count, INTO(producers),
			      "producers", 1, 1000},
	[OPTION_CONSUMERS] = {'c', "consumers", "N", "connections that take (default 1)", set_count, INTO(consumers),
			      "consumers", 1, 1000},
	[OPTION_SIZE] = {0, "size", "BYTES", "of each value, which is a string; quotes count (default 50)", set_count,
			 INTO(size), "bytes", LOAD_MIN_SIZE, MAX_SIZE},
	[OPTION_WINDOW] = {0, "window", "N", "requests in flight on each connection (default 64)", set_count,
			   INTO(window), "requests", 1, 1000},
	[OPTION_BATCH] = {0, "batch", "N", "values in one put, and at most in one take (default 1)", set_count,
			  INTO(batch), "values", 1, MESSAGE_MAX_TAKE},
	[OPTION_DURATION] = {0, "duration", "TIME", "how long: 500ms, 5s, 1m (default 5s)", set_time, INTO(duration_ms),
			     "duration; write milliseconds, or 500ms, 5s, 1m", 1},
	[OPTION_KIND] = {0, "kind", "KIND", "of the channel: bounded (default), unbuffered, dropping or sliding",
			 set_choice, INTO(kind),
			 "kind of channel that values go through; say unbuffered, bounded, dropping or sliding",
			 .choices = "unbuffered bounded dropping sliding"},
	[OPTION_JOBS] = {'j', "jobs", "N", "how many commands may run at a time (default 1)", set_count, INTO(jobs),
			 "commands at a time", 1, MAX_JOBS},
	[OPTION_TO] = {0, "to", "CHANNEL", "what a command writes is a value, to be put into this channel", set_channel,
		       INTO(to)},
	[OPTION_FAILED] = {0, "failed", "CHANNEL", "values whose command failed for good are put into this channel",
			   set_channel, INTO(failed)},
	[OPTION_RETRY] = {'r', "retry", "N", "a command that fails is tried again, N times (default 0)", set_count,
			  INTO(retries), "retries", 0, MAX_RETRIES},
	[OPTION_BACKOFF] = {0, "backoff", "TIME",
			    "the pause before the first retry (default 1s); it doubles each time, up to a minute",
			    set_time, INTO(backoff_ms), A_TIME},
	[OPTION_LIMIT] = {0, "limit", "TIME", "a command that takes longer is ended, and has failed", set_time,
			  INTO(limit_ms), A_TIME},
	[OPTION_LEASE] = {0, "lease", "TIME",
			  "for how long a value is leased at a time (default 30s); 0: it is taken for good", set_time,
			  INTO(lease_ms), A_TIME},
	[OPTION_LEASED] = {0, "lease", "TIME",
			   "what is taken is only leased for so long; done with `ack`, it is gone, else it comes back",
			   set_time, INTO(lease_ms), A_LEASE, 1},
	[OPTION_EXTENSION] = {0, "lease", "TIME", "for how long, from now on", set_time, INTO(lease_ms), A_LEASE, 1},
	[OPTION_DELAY] = {0, "delay", "TIME", "it comes back after so long", set_time, INTO(delay_ms), A_TIME},
	[OPTION_PUT_DELAY] =
		{0, "delay", "TIME",
		 "the values are put at once, and take their room, but enter the channel when so much time has passed",
		 set_time, INTO(delay_ms), A_TIME},
	[OPTION_UNCOUNTED] = {0, "uncounted", NULL, "no work was done on it: this delivery does not count", set_flag,
			      INTO(uncounted)},
	[OPTION_CAPACITY] = {0, "capacity", "N", "how many values fit into it", set_count, INTO(capacity), "values", 1,
			     COMMAND_MAX_CAPACITY},
	[OPTION_NO_DEAD_LETTER] = {0, "no-dead-letter", NULL,
				   "values come back for ever; instead of --max-deliveries and --dead-letter", set_flag,
				   INTO(no_dead_letter)},
	[OPTION_MAX_DELIVERIES] = {0, "max-deliveries", "N",
				   "a value that came back N times from leases goes to the channel of --dead-letter",
				   set_count, INTO(max_deliveries), "deliveries", 1, MESSAGE_MAX_DELIVERIES},
	[OPTION_DEAD_LETTER] = {0, "dead-letter", "CHANNEL", "where such a value goes: a bounded channel that is there",
				set_channel, INTO(dead_letter)},
	[OPTION_ONCE] = {0, "once", NULL, "look once, print a table, and end", set_flag, INTO(once)},
	[OPTION_SORT] = {0, "sort", "KEY", "depth (default), rate, shed, oldest or name", set_order},
	[OPTION_NO_RECONNECT] =
		{0, "no-reconnect", NULL,
		 "when the connection is lost, end (exit code 5) instead of waiting for the daemon to come back",
		 set_flag, INTO(no_reconnect)},
	[OPTION_SLIDING] = {0, "sliding", "N", "whoever is slow gets the newest N values, and misses what is older",
			    set_subscription},
	[OPTION_DROPPING] = {0, "dropping", "N", "whoever is slow gets N values, and misses what is newer",
			     set_subscription},
	[OPTION_BOUNDED] = {0, "bounded", "N", "whoever is slow holds SOURCE up when N values wait; none is missed",
			    set_subscription},
	[OPTION_UNBUFFERED] = {0, "unbuffered", NULL, "whoever is slow holds SOURCE up at every value; none is missed",
			       set_subscription},
	[OPTION_MATCH] = {0, "match", "POINTER=VALUE",
			  "carry only values that have this there; several: that have all of them", add_match},
	[OPTION_STATE] =
		{0, "state", "STATE",
		 "run (default), pause (take nothing), mute (take and discard) or solo (the others into TARGET "
		 "pause)",
		 set_choice, INTO(state), "state of a tap; say run, pause, mute or solo",
		 .choices = "run pause mute solo"},
	[OPTION_KEEP_OPEN] = {0, "keep-open", NULL, "TARGET stays open when SOURCE has ended", set_flag,
			      INTO(keep_open)},
	[OPTION_LIVE_BATCH] = {0, "batch", "N",
			       "how many values may be on their way at a time (default 1 into a pipe, else 16)",
			       set_count, INTO(batch), "values", 1, 1000000},
	[OPTION_VERSION] = {'V', "version", NULL, "print the version, and do nothing", set_flag, INTO(wants_version)},
};

uint64_t options_of(const struct command *command)
{
	uint64_t common = OPTION_BIT(OPTION_LAST_COMMON + 1) - 1;

	return command ? common | command->options : common | OPTION_BIT(OPTION_VERSION);
}

char option_letter(const struct command *command, int id)
{
	if (id > OPTION_LAST_COMMON || !command)
		return option_rows[id].letter;
	for (int own = OPTION_LAST_COMMON + 1; own < N_OPTIONS; own++) {
		if (command->options >> own & 1 && option_rows[own].letter == option_rows[id].letter)
			return 0;
	}
	return option_rows[id].letter;
}
