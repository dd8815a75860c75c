#include "client/cli/option_values.h"

#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "client/cli/load.h"
#include "client/cli/report.h"
#include "client/cli/units.h"

enum {
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

static int set_connect_timeout(struct call *call, const char *word)
{
	if (units_parse_ms(word, &call->connect_timeout_ms) < 0 || call->connect_timeout_ms == 0)
		return report_usage(call, "'%s' is not a time to connect in; write milliseconds, or 500ms, 5s, 1m",
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

/* The kind of a subscription's channel; a word is its capacity. */
static int set_subscription(struct call *call, const char *kind, const char *word)
{
	if (call->kind)
		return report_usage(call, "--%s and --%s: a channel has one kind", call->kind, kind);
	call->kind = kind;
	return word ? set_between(call, word, "values", 1, COMMAND_MAX_CAPACITY, &call->capacity) : 0;
}

static int set_state(struct call *call, const char *word)
{
	static const char *const states[] = {"run", "pause", "mute", "solo"};

	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		if (strcmp(word, states[i]) == 0) {
			call->state = word;
			return 0;
		}
	}
	return report_usage(call, "'%s' is no state of a tap; say run, pause, mute or solo", word);
}

static int add_match(struct call *call, const char *word)
{
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
	return 0;
}

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
	case OPTION_UNCOUNTED:
		return &call->uncounted;
	case OPTION_NO_DEAD_LETTER:
		return &call->no_dead_letter;
	case OPTION_KEEP_OPEN:
		return &call->keep_open;
	case OPTION_NO_RECONNECT:
		return &call->no_reconnect;
	case OPTION_VERSION:
		return &call->wants_version;
	default:
		return NULL;
	}
}

/* Where the argument of an option is kept that is any string, and NULL for others. */
static const char **string_of(struct call *call, enum option_id id)
{
	switch (id) {
	case OPTION_URL:
		return &call->url;
	case OPTION_CONTEXT:
		return &call->context;
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

static int set_value(struct call *call, enum option_id id, const char *word, int argc, char *const *argv)
{
	switch (id) {
	case OPTION_OUTPUT:
		return set_output(call, word);
	case OPTION_CONNECT_TIMEOUT:
		return set_connect_timeout(call, word);
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
	case OPTION_FOLLOW_BATCH:
	case OPTION_LIVE_BATCH:
		return set_between(call, word, "values", 1, 1000000, &call->batch);
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
	case OPTION_EXTENSION:
		return set_lease(call, word);
	case OPTION_DELAY:
	case OPTION_PUT_DELAY:
		return set_time(call, word, &call->delay_ms);
	case OPTION_CAPACITY:
		return set_between(call, word, "values", 1, COMMAND_MAX_CAPACITY, &call->capacity);
	case OPTION_MAX_DELIVERIES:
		return set_between(call, word, "deliveries", 1, MESSAGE_MAX_DELIVERIES, &call->max_deliveries);
	case OPTION_SLIDING:
		return set_subscription(call, "sliding", word);
	case OPTION_DROPPING:
		return set_subscription(call, "dropping", word);
	case OPTION_BOUNDED:
		return set_subscription(call, "bounded", word);
	case OPTION_UNBUFFERED:
		return set_subscription(call, "unbuffered", NULL);
	case OPTION_MATCH:
		return add_match(call, word);
	case OPTION_STATE:
		return set_state(call, word);
	case OPTION_SORT:
		return set_order(call, word);
	default: /* option_set() has those */
		break;
	}
	return 0;
}

int option_set(struct call *call, enum option_id id, const char *word, int argc, char *const *argv)
{
	bool *flag = flag_of(call, id);
	const char **place = string_of(call, id);
	if (flag)
		*flag = true;
	else if (place)
		*place = word;
	else
		return set_value(call, id, word, argc, argv);
	return 0;
}
