#include "client/cli/options.h"

#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "client/cli/load.h"
#include "client/cli/report.h"
#include "client/cli/units.h"

enum {
	LONG_ONLY = 256,     /* getopt's value of an option is this much more than its id */
	HIGHEST_JOBS = 1000, /* each has a request parked: the daemon's default allows 1024 a connection */
	HIGHEST_RETRIES = 1000000,
};

static int set_output(struct call *call, const char *word)
{
	static const char *const names[] = {[FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", [FORMAT_RAW] = "raw"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(word, names[i]) == 0) {
			call->format = (enum format)i;
			return 0;
		}
	}
	return report_usage(call, "there is no output format '%s'; say text, json or raw", word);
}

static int set_time(struct call *call, const char *word, int64_t *ms)
{
	if (units_parse_ms(word, ms) < 0)
		return report_usage(call, "'%s' is not a time; write milliseconds, or 250ms, 5s, 1m, 1h", word);
	return 0;
}

static int set_order(struct call *call, const char *word)
{
	call->order = top_order_find(word);
	if (call->order == N_TOP_ORDERS)
		return report_usage(call, "'%s' is no order; say depth, rate, shed, oldest or name", word);
	return 0;
}

static int set_number(struct call *call, const char *word)
{
	if (units_parse_count(word, 1, UINT64_C(1) << 53, &call->number) < 0)
		return report_usage(call, "'%s' is not a number of 1 or more", word);
	return 0;
}

static int set_jobs(struct call *call, const char *word)
{
	if (units_parse_count(word, 1, HIGHEST_JOBS, &call->jobs) < 0)
		return report_usage(call, "'%s' is not a number of commands at a time; give 1 to %d", word,
				    HIGHEST_JOBS);
	return 0;
}

static int set_retries(struct call *call, const char *word)
{
	if (units_parse_count(word, 0, HIGHEST_RETRIES, &call->retries) < 0)
		return report_usage(call, "'%s' is not a number of retries; give 0 to %d", word, HIGHEST_RETRIES);
	return 0;
}

static int set_max_waiters(struct call *call, const char *word)
{
	if (units_parse_count(word, 1, 10000000, &call->max_waiters) < 0)
		return report_usage(call, "'%s' is not a number of waiters; give 1 to 10000000", word);
	return 0;
}

static int set_between(struct call *call, const char *word, const char *what, uint64_t lowest, uint64_t highest,
		       uint64_t *number)
{
	if (units_parse_count(word, lowest, highest, number) < 0)
		return report_usage(call, "'%s' is not a number of %s; give %" PRIu64 " to %" PRIu64, word, what,
				    lowest, highest);
	return 0;
}

static int set_lease(struct call *call, const char *word)
{
	if (units_parse_ms(word, &call->lease_ms) < 0 || call->lease_ms == 0)
		return report_usage(call, "'%s' is not a time for a lease; write milliseconds, or 500ms, 30s, 1m, 1h",
				    word);
	return 0;
}

static int set_duration(struct call *call, const char *word)
{
	if (units_parse_ms(word, &call->duration_ms) < 0 || call->duration_ms == 0)
		return report_usage(call, "'%s' is not a duration; write milliseconds, or 500ms, 5s, 1m", word);
	return 0;
}

static int set_kind(struct call *call, const char *word)
{
	static const char *const kinds[] = {"unbuffered", "bounded", "dropping", "sliding"};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(word, kinds[i]) == 0) {
			call->kind = word;
			return 0;
		}
	}
	return report_usage(
		call, "'%s' is no kind of channel that values go through; say unbuffered, bounded, dropping or sliding",
		word);
}

static int add_arm(struct call *call, const char *channel, const char *value)
{
	if (call->n_arms == MESSAGE_MAX_ARMS)
		return report_usage(call, "an alts has at most %d arms", MESSAGE_MAX_ARMS);
	call->arms[call->n_arms++] = (struct call_arm){channel, value};
	return 0;
}

static const struct option_row table[N_OPTIONS] = {
	[OPTION_URL] = {'u', "url", "URL",
			"the daemon: tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH (else $MILLRACE_URL, else "
			"tcp://127.0.0.1:7223)"},
	[OPTION_OUTPUT] = {'o', "output", "FORMAT",
			   "text (default), json (one object a line) or raw (for other programs)"},
	[OPTION_QUIET] = {'q', "quiet", NULL,
			  "say nothing of success, progress, time-outs, closed channels, dropped values"},
	[OPTION_HELP] = {'h', "help", NULL, "explain this, and do nothing"},
	[OPTION_CA] = {0, "ca", "FILE",
		       "who signs the daemon's certificate (else $MILLRACE_CA, else whom the system trusts)"},
	[OPTION_CERT] = {0, "cert", "FILE",
			 "our own certificate, by which the daemon may know us (else $MILLRACE_CERT)"},
	[OPTION_KEY] = {0, "key", "FILE", "its key (else $MILLRACE_KEY)"},
	[OPTION_INSECURE] = {0, "insecure-accept-any-certificate", NULL,
			     "with tls://, whoever answers is the daemon: anybody may read along"},
	[OPTION_TIMEOUT] = {'t', "timeout", "TIME",
			    "wait at most so long: 250 or 250ms, 5s, 1m, 1h; 0: at once or not at all"},
	[OPTION_NUMBER] = {'n', "number", "N", "how many; by default 1, with `work` and `serve` without an end"},
	[OPTION_FOLLOW] = {'f', "follow", NULL, "go on until the channel is closed"},
	[OPTION_STRING] = {'s', "string", NULL, "values are not JSON, but the text of a string"},
	[OPTION_TAKE] = {0, "take", "CHANNEL", "an arm that takes from a channel"},
	[OPTION_PUT] = {0, "put", "CHANNEL VALUE", "an arm that puts a value into a channel"},
	[OPTION_PRIORITY] = {'p', "priority", NULL, "the first arm that can happen does; else any of them"},
	[OPTION_MAX_WAITERS] = {0, "max-waiters", "N",
				"how many requests may wait on the channel (else the daemon's default)"},
	[OPTION_FORCE] = {0, "force", NULL, "even if there are values in it; they are discarded"},
	[OPTION_PRODUCERS] = {'p', "producers", "N", "connections that put (default 1)"},
	[OPTION_CONSUMERS] = {'c', "consumers", "N", "connections that take (default 1)"},
	[OPTION_SIZE] = {0, "size", "BYTES", "of each value, which is a string; quotes count (default 50)"},
	[OPTION_WINDOW] = {0, "window", "N", "requests in flight on each connection (default 64)"},
	[OPTION_BATCH] = {0, "batch", "N", "values in one put, and at most in one take (default 1)"},
	[OPTION_DURATION] = {0, "duration", "TIME", "how long: 500ms, 5s, 1m (default 5s)"},
	[OPTION_KIND] = {0, "kind", "KIND", "of the channel: bounded (default), unbuffered, dropping or sliding"},
	[OPTION_JOBS] = {'j', "jobs", "N", "how many commands may run at a time (default 1)"},
	[OPTION_TO] = {0, "to", "CHANNEL", "what a command writes is a value, to be put into this channel"},
	[OPTION_FAILED] = {0, "failed", "CHANNEL", "values whose command failed for good are put into this channel"},
	[OPTION_RETRY] = {'r', "retry", "N", "a command that fails is tried again, N times (default 0)"},
	[OPTION_BACKOFF] = {0, "backoff", "TIME",
			    "the pause before the first retry (default 1s); it doubles each time, up to a minute"},
	[OPTION_LIMIT] = {0, "limit", "TIME", "a command that takes longer is ended, and has failed"},
	[OPTION_LEASE] = {0, "lease", "TIME",
			  "for how long a value is leased at a time (default 30s); 0: it is taken for good"},
	[OPTION_LEASED] = {0, "lease", "TIME",
			   "what is taken is only leased for so long; done with `ack`, it is gone, else it comes back"},
	[OPTION_DELAY] = {0, "delay", "TIME", "it comes back after so long"},
	[OPTION_MAX_DELIVERIES] = {0, "max-deliveries", "N",
				   "a value that came back N times from leases goes to the channel of --dead-letter"},
	[OPTION_DEAD_LETTER] = {0, "dead-letter", "CHANNEL",
				"where such a value goes: a bounded channel that is there"},
	[OPTION_ONCE] = {0, "once", NULL, "look once, print a table, and end"},
	[OPTION_SORT] = {0, "sort", "KEY", "depth (default), rate, shed, oldest or name"},
	[OPTION_VERSION] = {'V', "version", NULL, "print the version, and do nothing"},
};

/* What an option without a word sets, and NULL for others. */
static bool *flag_of(struct call *call, enum option_id id)
{
	switch (id) {
	case OPTION_QUIET:
		return &call->quiet;
	case OPTION_HELP:
		return &call->wants_help;
	case OPTION_INSECURE:
		return &call->insecure;
	case OPTION_FOLLOW:
		return &call->follow;
	case OPTION_STRING:
		return &call->strings;
	case OPTION_PRIORITY:
		return &call->priority;
	case OPTION_FORCE:
		return &call->force;
	case OPTION_ONCE:
		return &call->once;
	case OPTION_VERSION:
		return &call->wants_version;
	default:
		return NULL;
	}
}

/* Where the word of an option is kept that needs no looking at, and NULL for others. */
static const char **word_of(struct call *call, enum option_id id)
{
	switch (id) {
	case OPTION_URL:
		return &call->url;
	case OPTION_CA:
		return &call->ca;
	case OPTION_CERT:
		return &call->cert;
	case OPTION_KEY:
		return &call->key;
	case OPTION_TO:
		return &call->to;
	case OPTION_FAILED:
		return &call->failed;
	case OPTION_DEAD_LETTER:
		return &call->dead_letter;
	default:
		return NULL;
	}
}

static int set_value(struct call *call, enum option_id id, const char *word, int argc, char **argv)
{
	switch (id) {
	case OPTION_OUTPUT:
		return set_output(call, word);
	case OPTION_TIMEOUT:
		return set_time(call, word, &call->timeout_ms);
	case OPTION_NUMBER:
		return set_number(call, word);
	case OPTION_TAKE:
		return add_arm(call, word, NULL);
	case OPTION_PUT: /* its second word is the next of argv, whatever that looks like */
		if (optind >= argc)
			return report_usage(
				call, "--put takes two words, a channel and a value; there is no value after '%s'",
				word);
		return add_arm(call, word, argv[optind++]);
	case OPTION_MAX_WAITERS:
		return set_max_waiters(call, word);
	case OPTION_PRODUCERS:
		return set_between(call, word, "producers", 1, 1000, &call->producers);
	case OPTION_CONSUMERS:
		return set_between(call, word, "consumers", 1, 1000, &call->consumers);
	case OPTION_SIZE:
		return set_between(call, word, "bytes", LOAD_MIN_SIZE, 16 * 1024 * 1024, &call->size);
	case OPTION_WINDOW:
		return set_between(call, word, "requests", 1, 1000, &call->window);
	case OPTION_BATCH:
		return set_between(call, word, "values", 1, MESSAGE_MAX_TAKE, &call->batch);
	case OPTION_DURATION:
		return set_duration(call, word);
	case OPTION_KIND:
		return set_kind(call, word);
	case OPTION_JOBS:
		return set_jobs(call, word);
	case OPTION_RETRY:
		return set_retries(call, word);
	case OPTION_BACKOFF:
		return set_time(call, word, &call->backoff_ms);
	case OPTION_LIMIT:
		return set_time(call, word, &call->limit_ms);
	case OPTION_LEASE:
		return set_time(call, word, &call->lease_ms);
	case OPTION_LEASED:
		return set_lease(call, word);
	case OPTION_DELAY:
		return set_time(call, word, &call->delay_ms);
	case OPTION_MAX_DELIVERIES:
		return set_between(call, word, "deliveries", 1, MESSAGE_MAX_DELIVERIES, &call->max_deliveries);
	case OPTION_SORT:
		return set_order(call, word);
	default: /* set_option() has those */
		break;
	}
	return 0;
}

static int set_option(struct call *call, enum option_id id, const char *word, int argc, char **argv)
{
	bool *flag = flag_of(call, id);
	const char **place = word_of(call, id);
	if (flag)
		*flag = true;
	else if (place)
		*place = word;
	else
		return set_value(call, id, word, argc, argv);
	return 0;
}

const struct option_row *options_row(enum option_id id)
{
	return &table[id];
}

uint64_t options_of(const struct command *command)
{
	uint64_t common = OPTION_BIT(OPTION_INSECURE + 1) - 1; /* the first eight */

	return command ? common | command->options : common | OPTION_BIT(OPTION_VERSION);
}

static int refuse(const struct call *call, int kind, char *const *argv)
{
	const char *word = argv[optind - 1];
	bool is_long = optopt == 0 || optopt >= LONG_ONLY;

	if (kind == ':' && is_long)
		return report_usage(call, "%s needs %s after it", word, table[optopt - LONG_ONLY].argument);
	if (kind == ':')
		return report_usage(call, "-%c needs a word after it", optopt);
	if (optopt >= LONG_ONLY)
		return report_usage(call, "%s takes no value", word);
	if (is_long)
		return report_usage(call, "there is no option %s here", word);
	if (optopt >= '0' && optopt <= '9')
		return report_usage(call, "-%c is not an option; write -- before values that begin with -", optopt);
	return report_usage(call, "there is no option -%c here", optopt);
}

int options_parse(struct call *call, int argc, char **argv)
{
	uint64_t wanted = options_of(call->command);
	struct option longs[N_OPTIONS + 1] = {{0}};
	char shorts[2 * N_OPTIONS + 3] = "";
	size_t n_longs = 0, n_shorts = 0;
	int found;

	if (!call->command)
		shorts[n_shorts++] = '+';
	shorts[n_shorts++] = ':';
	for (int id = 0; id < N_OPTIONS; id++) {
		if (!(wanted >> id & 1))
			continue;
		longs[n_longs++] = (struct option){table[id].name, table[id].argument ? required_argument : no_argument,
						   NULL, LONG_ONLY + id};
		if (table[id].letter)
			shorts[n_shorts++] = table[id].letter;
		if (table[id].letter && table[id].argument)
			shorts[n_shorts++] = ':';
	}
	opterr = 0;
	optind = 0; /* GNU: begin anew */
	while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		int id = found - LONG_ONLY;

		if (found == '?' || found == ':')
			return refuse(call, found, argv);
		for (int i = 0; found < LONG_ONLY && i < N_OPTIONS; i++) {
			if (table[i].letter == found && wanted >> i & 1) /* commands may share letters */
				id = i;
		}
		if (set_option(call, (enum option_id)id, optarg, argc, argv) != 0)
			return EXIT_USAGE;
	}
	call->args = argv + optind;
	call->n_args = argc - optind;
	return 0;
}

static void explain(uint64_t ids, FILE *to)
{
	for (int id = 0; id < N_OPTIONS; id++) {
		char left[40];
		int n;

		if (!(ids >> id & 1))
			continue;
		n = table[id].letter ? snprintf(left, sizeof left, "-%c, ", table[id].letter)
				     : snprintf(left, sizeof left, "    ");
		snprintf(left + n, sizeof left - (size_t)n, "--%s%s%s", table[id].name, table[id].argument ? " " : "",
			 table[id].argument ? table[id].argument : "");
		fprintf(to, "  %-24s  %s\n", left, table[id].help);
	}
}

void options_explain(const struct command *command, FILE *to)
{
	fputs("\nOptions:\n", to);
	if (command)
		explain(command->options, to);
	explain(options_of(command) & ~(command ? command->options : 0), to);
}
