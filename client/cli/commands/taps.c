/* millrace tap, untap, taps: what is carried inside the daemon. */
#include <stdio.h>
#include <string.h>

#include "client/cli/commands/follow.h"
#include "client/cli/common/listing.h"
#include "client/cli/common/report.h"
#include "client/cli/common/session.h"
#include "client/cli/common/value_text.h"
#include "proto/json_scan.h"

/* -- What --match says, as the protocol's match -- */

/* Whether it is a JSON value that a match can ask for. */
static bool is_scalar(struct slice text)
{
	struct json_scan scan;
	struct slice raw;
	enum json_type type;

	json_scan_init(&scan, text.bytes, text.len);
	type = json_scan_value(&scan, &raw);
	return type != JSON_TYPE_NONE && type != JSON_TYPE_OBJECT && type != JSON_TYPE_ARRAY && raw.len == text.len;
}

static int write_pointer(const struct call *call, const char *rule, struct buffer *out)
{
	const char *equals = strchr(rule, '=');
	char error[VALUE_TEXT_ERROR_BYTES] = "";

	if (!equals || (*rule != '/' && equals != rule))
		return report_usage(call,
				    "--match is POINTER=VALUE, such as /type=order or /customer/vip=true, and not '%s'",
				    rule);
	if (value_text_quote((struct slice){rule, (size_t)(equals - rule)}, out, error) < 0)
		return report_usage(call, "--match '%s': %s", rule, error);
	buffer_append(out, ":", 1);
	if (is_scalar(slice_from(equals + 1)))
		buffer_append(out, equals + 1, strlen(equals + 1));
	else if (value_text_quote(slice_from(equals + 1), out, error) < 0)
		return report_usage(call, "--match '%s': %s", rule, error);
	return EXIT_OK;
}

/* Appends the object of all --match of the call, each POINTER=VALUE, and a NUL. A VALUE that is a JSON string, number,
 * boolean or null is that; any other text is a string. EXIT_OK, or another code, told. */
static int write_match(const struct call *call, struct buffer *out)
{
	for (size_t i = 0; i < call->n_matches; i++) {
		buffer_append(out, i ? "," : "{", 1);
		int code = write_pointer(call, call->matches[i], out);
		if (code != EXIT_OK)
			return code;
	}
	buffer_append(out, "}", 2);
	if (out->failed)
		return report(call, NULL, "not enough memory");
	return EXIT_OK;
}

/* -- tap -- */

/* What the options ask for, of any tap. EXIT_OK, or another code, told. */
static int read_options(const struct call *call, struct buffer *match, struct mr_tap_options *options)
{
	int code = call->n_matches ? write_match(call, match) : EXIT_OK;

	*options = (struct mr_tap_options){
		.match = call->n_matches ? buffer_front(match) : NULL,
		.stays_open = call->keep_open,
		.state = call->state,
		.kind = call->kind,
		.capacity = call->capacity,
	};
	return code;
}

/* What the usage cannot say: what belongs to a tap with a target, and what to one without. */
static int check_tap(const struct call *call)
{
	bool is_subscription = call->n_args == 1;

	if (is_subscription && !call->kind)
		return report_usage(call,
				    "a tap without a TARGET is a subscription, and needs the kind of its channel: "
				    "--sliding N, --dropping N, --bounded N or --unbuffered");
	if (!is_subscription && call->kind)
		return report_usage(call, "'%s' has a kind of its own; --%s is for a tap without a TARGET",
				    call->args[1], call->kind);
	if (!is_subscription && (call->number || call->batch || call->no_reconnect || call->timeout_ms != MR_FOREVER))
		return report_usage(call, "-n, --batch, --timeout and --no-reconnect are for a tap without a TARGET, "
					  "which prints what comes");
	if (is_subscription && call->keep_open)
		return report_usage(call, "--keep-open is for a tap with a TARGET");
	return EXIT_OK;
}

/* One subscription, from its beginning to its end, or that of its connection. */
static int subscribe_once(const struct call *call, mr *m, const struct mr_tap_options *options,
			  struct take_watch *watch, struct reconnecting *recovery)
{
	char *channel = NULL;
	int status = mr_tap(m, call->args[0], NULL, options, NULL, &channel);

	if (status != MR_OK)
		return status;
	watch->channel = channel;
	status = follow(call, m, watch, recovery);
	watch->channel = NULL;
	mr_free(channel);
	if (status == MR_ENO_SUCH_CHANNEL) /* it has gone with a connection that is back by now */
		status = mr_fail(MR_ECONNECTION, "the connection was lost, and the subscription with it");
	return status;
}

/* Taps the call's first argument with a channel that the daemon makes of the options' kind, and prints what comes to
 * it, until the source has ended, the call's --number has come, or somebody wants no more; over losses of the
 * connection too. The exit code, told. */
static int subscribe(const struct call *call, mr *m, const struct mr_tap_options *options)
{
	struct take_watch watch;
	struct reconnecting recovery;
	int status;

	take_watch_init(&watch, NULL);
	watch.is_subscription = true;
	watch.left = call->number;
	recovery_init(&recovery, call);
	do
		status = subscribe_once(call, m, options, &watch, &recovery);
	while (watch.reason == TAKE_GOES_ON && recovery_wait(&recovery, m, status, watch.fds[0].fd));
	recovery_finish(&recovery);
	return follow_conclude(call, m, &watch, status, true);
}

static int tap_target(const struct call *call, mr *m, const struct mr_tap_options *options)
{
	bool created = false;
	int status = mr_tap(m, call->args[0], call->args[1], options, &created, NULL);
	int code = session_report(call, m, call->args[0], status, NULL);

	if (status == MR_OK && call->format == FORMAT_JSON)
		printf("{\"from\":\"%s\",\"to\":\"%s\",\"created\":%s}\n", call->args[0], call->args[1],
		       created ? "true" : "false");
	else if (status == MR_OK && !call->quiet)
		puts(created ? "tapped" : "it was there");
	return code;
}

static int run_tap(const struct call *call)
{
	struct mr_tap_options options;
	struct buffer match = {0};
	int code = read_options(call, &match, &options);
	mr *m = NULL;

	if (code == EXIT_OK)
		code = session_open(call, &m);
	if (code == EXIT_OK)
		code = call->n_args == 1 ? subscribe(call, m, &options) : tap_target(call, m, &options);
	mr_destroy(m);
	buffer_finish(&match);
	return code;
}

const struct command tap_command = {
	.name = "tap",
	.arguments = "SOURCE [TARGET]",
	.summary = "carry what enters a channel to another, or print it live",
	.description =
		"Taps a channel: from now on what enters SOURCE is carried to TARGET, inside the daemon, and each "
		"keeps its overload policy. Several taps of one source each get every value. When SOURCE is closed "
		"and empty, TARGET closes too, unless something else is tapped to it. A tap that is there already "
		"is from now on as the options say.\n\n"
		"Without TARGET it is a subscription, and prints what comes until SOURCE has ended: the daemon "
		"makes a channel of the given kind for it, which goes with the connection. The kind says what "
		"happens when whoever reads is slow: --sliding misses what is old, --dropping what is new, "
		"--bounded and --unbuffered hold SOURCE up, and so everybody else. The taps of SOURCE are together "
		"one taker of it: a value that they get, nobody else takes from SOURCE.\n\n"
		"When the daemon goes away, or the network to it, a subscription waits until that is back, and "
		"begins anew; what was carried meanwhile it has missed. Values are printed as `take` does.\n\n"
		"With --match only such values are carried that have what it says: POINTER is a JSON pointer, VALUE "
		"a JSON string, number, true, false or null, or any other text, which is a string.",
	.examples = "  millrace tap events audit\n"
		    "  millrace tap events orders --match /type=order --match /customer/vip=true\n"
		    "  millrace tap events --sliding 100 --match /type=order | jq .price\n"
		    "  millrace tap sensors:7 readings --state mute\n",
	.options = OPTION_BIT(OPTION_SLIDING) | OPTION_BIT(OPTION_DROPPING) | OPTION_BIT(OPTION_BOUNDED) |
		   OPTION_BIT(OPTION_UNBUFFERED) | OPTION_BIT(OPTION_MATCH) | OPTION_BIT(OPTION_STATE) |
		   OPTION_BIT(OPTION_KEEP_OPEN) | OPTION_BIT(OPTION_NUMBER) | OPTION_BIT(OPTION_LIVE_BATCH) |
		   OPTION_BIT(OPTION_NO_RECONNECT) | OPTION_BIT(OPTION_TIMEOUT),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL) | EXIT_BIT(EXIT_CLOSED) | EXIT_BIT(EXIT_TIMEOUT),
	.check = check_tap,
	.run = run_tap,
};

/* -- untap, taps -- */

static int run_untap(const struct call *call, mr *m)
{
	int status = mr_untap(m, call->args[0], call->args[1]);

	if (status == MR_OK && call->format != FORMAT_JSON && !call->quiet)
		puts("untapped");
	return session_report(call, m, call->args[0], status, NULL);
}

const struct command untap_command = {
	.name = "untap",
	.arguments = "SOURCE TARGET",
	.summary = "end a tap; closes nothing",
	.description = "Ends the tap from SOURCE to TARGET. What it holds goes back to SOURCE if nobody got it.",
	.examples = "  millrace untap events audit\n",
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.run_connected = run_untap,
};

static const struct listing taps_listing = {
	.fetch = mr_taps,
	.is_of_channel = true,
	.columns =
		{
			{"FROM", "from", false, 0},
			{"TO", "to", false, 1},
			{"MATCH", "match", false, 5},
			{"STATE", "state", false, 2},
			{"CARRIED", "carried", true, 3},
			{"UNMATCHED", "unmatched", true, 7},
			{"MUTED", "muted", true, 8},
			{"HELD", "held", true, 4},
			{"HELD_MS", "held_ms", true, 6},
		},
};

const struct command taps_command = {
	.name = "taps",
	.arguments = "[CHANNEL]",
	.summary = "show what is carried where, and what is held up",
	.description =
		"Lists the taps, from or to one channel or all, the oldest first. HELD is 1 while the target has no "
		"room for the tap's value. json prints one object a line, raw the same columns with tabs between "
		"them and no heading.",
	.examples = "  millrace taps\n"
		    "  millrace taps events -o json | jq .carried\n",
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.run_connected = listing_run,
	.listing = &taps_listing,
};
