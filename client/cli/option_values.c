/* What an option's word means: each by the rule that it has in a table. */
#include "client/cli/option_values.h"

#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "client/cli/load.h"
#include "client/cli/report.h"
#include "client/cli/units.h"

enum {
	MAX_JOBS = 1000, /* each has a request parked: the daemon's default allows 1024 a connection */
	MAX_RETRIES = 1000000,
	MAX_WAITERS = 10000000,
	MAX_SIZE = 16 * 1024 * 1024,
};

struct option_rule {
	/* 0, or EXIT_USAGE with the mistake told. */
	int (*set)(struct call *call, const struct option_rule *rule, const char *word);
	size_t offset;            /* in struct call: of what is set */
	const char *what;         /* the word should be, for people */
	uint64_t lowest, highest; /* of a number */
};

static void *field_of(struct call *call, const struct option_rule *rule)
{
	return (char *)call + rule->offset;
}

static int set_flag(struct call *call, const struct option_rule *rule, const char *word)
{
	(void)word;
	*(bool *)field_of(call, rule) = true;
	return 0;
}

static int set_string(struct call *call, const struct option_rule *rule, const char *word)
{
	*(const char **)field_of(call, rule) = word;
	return 0;
}

static int set_count(struct call *call, const struct option_rule *rule, const char *word)
{
	if (units_parse_count(word, rule->lowest, rule->highest, field_of(call, rule)) < 0)
		return report_usage(call, "'%s' is not a number of %s; give %" PRIu64 " to %" PRIu64, word, rule->what,
				    rule->lowest, rule->highest);
	return 0;
}

static int set_time(struct call *call, const struct option_rule *rule, const char *word)
{
	int64_t *ms = field_of(call, rule);

	if (units_parse_ms(word, ms) < 0 || *ms < (int64_t)rule->lowest)
		return report_usage(call, "'%s' is not a %s", word, rule->what);
	return 0;
}

/* -- Options that are like no others -- */

static int set_output(struct call *call, const struct option_rule *rule, const char *word)
{
	static const char *const names[] = {[FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", [FORMAT_RAW] = "raw"};

	(void)rule;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(word, names[i]) == 0) {
			call->format = (enum format)i;
			return 0;
		}
	}
	return report_usage(call, "there is no output format '%s'; say text, json or raw", word);
}

static int set_order(struct call *call, const struct option_rule *rule, const char *word)
{
	(void)rule;
	call->order = top_order_find(word);
	if (call->order == N_TOP_ORDERS)
		return report_usage(call, "'%s' is no order; say depth, rate, shed, oldest or name", word);
	return 0;
}

static int set_number(struct call *call, const struct option_rule *rule, const char *word)
{
	(void)rule;
	if (units_parse_count(word, 1, UINT64_C(1) << 53, &call->number) < 0)
		return report_usage(call, "'%s' is not a number of 1 or more", word);
	return 0;
}

/* One of a few words, NULL behind the last. */
static int set_word(struct call *call, const struct option_rule *rule, const char *word, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(word, *words) == 0)
			return set_string(call, rule, word);
	}
	return report_usage(call, "'%s' is no %s", word, rule->what);
}

static int set_kind(struct call *call, const struct option_rule *rule, const char *word)
{
	return set_word(call, rule, word, (const char *const[]){"unbuffered", "bounded", "dropping", "sliding", NULL});
}

static int set_state(struct call *call, const struct option_rule *rule, const char *word)
{
	return set_word(call, rule, word, (const char *const[]){"run", "pause", "mute", "solo", NULL});
}

/* A subscription's channel is of the kind `what`; a word is its capacity. */
static int set_subscription(struct call *call, const struct option_rule *rule, const char *word)
{
	static const struct option_rule capacity = {NULL, offsetof(struct call, capacity), "values", 1,
						    COMMAND_MAX_CAPACITY};

	if (call->kind)
		return report_usage(call, "--%s and --%s: a channel has one kind", call->kind, rule->what);
	call->kind = rule->what;
	return word ? set_count(call, &capacity, word) : 0;
}

static int add_match(struct call *call, const struct option_rule *rule, const char *word)
{
	(void)rule;
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

static int add_take(struct call *call, const struct option_rule *rule, const char *word)
{
	(void)rule;
	return add_arm(call, word, NULL);
}

/* -- The rules -- */

#define INTO(field) offsetof(struct call, field)
#define A_TIME      "time; write milliseconds, or 250ms, 5s, 1m, 1h"
#define A_LEASE     "time for a lease; write milliseconds, or 500ms, 30s, 1m, 1h"

static const struct option_rule rules[N_OPTIONS] = {
	[OPTION_URL] = {set_string, INTO(url)},
	[OPTION_CONTEXT] = {set_string, INTO(context)},
	[OPTION_OUTPUT] = {set_output},
	[OPTION_QUIET] = {set_flag, INTO(quiet)},
	[OPTION_HELP] = {set_flag, INTO(wants_help)},
	[OPTION_CA] = {set_string, INTO(ca)},
	[OPTION_CERT] = {set_string, INTO(cert)},
	[OPTION_KEY] = {set_string, INTO(key)},
	[OPTION_INSECURE] = {set_flag, INTO(insecure)},
	[OPTION_CONNECT_TIMEOUT] = {set_time, INTO(connect_timeout_ms),
				    "time to connect in; write milliseconds, or 500ms, 5s, 1m", 1},
	[OPTION_TIMEOUT] = {set_time, INTO(timeout_ms), A_TIME},
	[OPTION_NUMBER] = {set_number},
	[OPTION_FOLLOW] = {set_flag, INTO(follow)},
	[OPTION_FOLLOW_BATCH] = {set_count, INTO(batch), "values", 1, 1000000},
	[OPTION_STRING] = {set_flag, INTO(strings)},
	[OPTION_TAKE] = {add_take},
	[OPTION_PRIORITY] = {set_flag, INTO(priority)},
	[OPTION_MAX_WAITERS] = {set_count, INTO(max_waiters), "waiters", 1, MAX_WAITERS},
	[OPTION_FORCE] = {set_flag, INTO(force)},
	[OPTION_PRODUCERS] = {set_count, INTO(producers), "producers", 1, 1000},
	[OPTION_CONSUMERS] = {set_count, INTO(consumers), "consumers", 1, 1000},
	[OPTION_SIZE] = {set_count, INTO(size), "bytes", LOAD_MIN_SIZE, MAX_SIZE},
	[OPTION_WINDOW] = {set_count, INTO(window), "requests", 1, 1000},
	[OPTION_BATCH] = {set_count, INTO(batch), "values", 1, MESSAGE_MAX_TAKE},
	[OPTION_DURATION] = {set_time, INTO(duration_ms), "duration; write milliseconds, or 500ms, 5s, 1m", 1},
	[OPTION_KIND] = {set_kind, INTO(kind),
			 "kind of channel that values go through; say unbuffered, bounded, dropping or sliding"},
	[OPTION_JOBS] = {set_count, INTO(jobs), "commands at a time", 1, MAX_JOBS},
	[OPTION_TO] = {set_string, INTO(to)},
	[OPTION_FAILED] = {set_string, INTO(failed)},
	[OPTION_RETRY] = {set_count, INTO(retries), "retries", 0, MAX_RETRIES},
	[OPTION_BACKOFF] = {set_time, INTO(backoff_ms), A_TIME},
	[OPTION_LIMIT] = {set_time, INTO(limit_ms), A_TIME},
	[OPTION_LEASE] = {set_time, INTO(lease_ms), A_TIME},
	[OPTION_LEASED] = {set_time, INTO(lease_ms), A_LEASE, 1},
	[OPTION_EXTENSION] = {set_time, INTO(lease_ms), A_LEASE, 1},
	[OPTION_DELAY] = {set_time, INTO(delay_ms), A_TIME},
	[OPTION_PUT_DELAY] = {set_time, INTO(delay_ms), A_TIME},
	[OPTION_UNCOUNTED] = {set_flag, INTO(uncounted)},
	[OPTION_CAPACITY] = {set_count, INTO(capacity), "values", 1, COMMAND_MAX_CAPACITY},
	[OPTION_NO_DEAD_LETTER] = {set_flag, INTO(no_dead_letter)},
	[OPTION_MAX_DELIVERIES] = {set_count, INTO(max_deliveries), "deliveries", 1, MESSAGE_MAX_DELIVERIES},
	[OPTION_DEAD_LETTER] = {set_string, INTO(dead_letter)},
	[OPTION_ONCE] = {set_flag, INTO(once)},
	[OPTION_SORT] = {set_order},
	[OPTION_NO_RECONNECT] = {set_flag, INTO(no_reconnect)},
	[OPTION_SLIDING] = {set_subscription, .what = "sliding"},
	[OPTION_DROPPING] = {set_subscription, .what = "dropping"},
	[OPTION_BOUNDED] = {set_subscription, .what = "bounded"},
	[OPTION_UNBUFFERED] = {set_subscription, .what = "unbuffered"},
	[OPTION_MATCH] = {add_match},
	[OPTION_STATE] = {set_state, INTO(state), "state of a tap; say run, pause, mute or solo"},
	[OPTION_KEEP_OPEN] = {set_flag, INTO(keep_open)},
	[OPTION_LIVE_BATCH] = {set_count, INTO(batch), "values", 1, 1000000},
	[OPTION_VERSION] = {set_flag, INTO(wants_version)},
};

int option_set(struct call *call, enum option_id id, const char *word, int argc, char *const *argv)
{
	if (id != OPTION_PUT)
		return rules[id].set(call, &rules[id], word);
	if (optind >= argc) /* its second word is the next of argv, whatever that looks like */
		return report_usage(call, "--put takes two words, a channel and a value; there is no value after '%s'",
				    word);
	return add_arm(call, word, argv[optind++]);
}
