#include "client/cli/option_table.h"

static const struct option_row table[N_OPTIONS] = {
	[OPTION_URL] = {'u', "url", "URL",
			"the daemon: tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH; several with commas between "
			"them: the first that is there (else $MILLRACE_URL, else tcp://127.0.0.1:7223)"},
	[OPTION_CONTEXT] = {'c', "context", "NAME",
			    "a daemon by the name that `millrace context` lists (else $MILLRACE_CONTEXT)"},
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
	[OPTION_CONNECT_TIMEOUT] = {0, "connect-timeout", "TIME",
				    "wait at most so long for the first connection (default 5s)"},
	[OPTION_TIMEOUT] = {'t', "timeout", "TIME",
			    "wait at most so long: 250 or 250ms, 5s, 1m, 1h; 0: at once or not at all"},
	[OPTION_NUMBER] = {'n', "number", "N", "how many; by default 1, with `work` and `serve` without an end"},
	[OPTION_FOLLOW] = {'f', "follow", NULL, "go on until the channel is closed"},
	[OPTION_FOLLOW_BATCH] = {0, "batch", "N",
				 "with --follow: how many values may be on their way at a time (default 1 into a pipe, "
				 "else 16); more is faster, and so many are lost if the reader goes away"},
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
	[OPTION_EXTENSION] = {0, "lease", "TIME", "for how long, from now on"},
	[OPTION_DELAY] = {0, "delay", "TIME", "it comes back after so long"},
	[OPTION_PUT_DELAY] =
		{0, "delay", "TIME",
		 "the values are put at once, and take their room, but enter the channel when so much time has passed"},
	[OPTION_UNCOUNTED] = {0, "uncounted", NULL, "no work was done on it: this delivery does not count"},
	[OPTION_CAPACITY] = {0, "capacity", "N", "how many values fit into it"},
	[OPTION_NO_DEAD_LETTER] = {0, "no-dead-letter", NULL,
				   "values come back for ever; instead of --max-deliveries and --dead-letter"},
	[OPTION_MAX_DELIVERIES] = {0, "max-deliveries", "N",
				   "a value that came back N times from leases goes to the channel of --dead-letter"},
	[OPTION_DEAD_LETTER] = {0, "dead-letter", "CHANNEL",
				"where such a value goes: a bounded channel that is there"},
	[OPTION_ONCE] = {0, "once", NULL, "look once, print a table, and end"},
	[OPTION_SORT] = {0, "sort", "KEY", "depth (default), rate, shed, oldest or name"},
	[OPTION_NO_RECONNECT] =
		{0, "no-reconnect", NULL,
		 "when the connection is lost, end (exit code 5) instead of waiting for the daemon to come back"},
	[OPTION_SLIDING] = {0, "sliding", "N", "whoever is slow gets the newest N values, and misses what is older"},
	[OPTION_DROPPING] = {0, "dropping", "N", "whoever is slow gets N values, and misses what is newer"},
	[OPTION_BOUNDED] = {0, "bounded", "N", "whoever is slow holds SOURCE up when N values wait; none is missed"},
	[OPTION_UNBUFFERED] = {0, "unbuffered", NULL, "whoever is slow holds SOURCE up at every value; none is missed"},
	[OPTION_MATCH] = {0, "match", "POINTER=VALUE",
			  "carry only values that have this there; several: that have all of them"},
	[OPTION_STATE] =
		{0, "state", "STATE",
		 "run (default), pause (take nothing), mute (take and discard) or solo (the others into TARGET "
		 "pause)"},
	[OPTION_KEEP_OPEN] = {0, "keep-open", NULL, "TARGET stays open when SOURCE has ended"},
	[OPTION_LIVE_BATCH] = {0, "batch", "N",
			       "how many values may be on their way at a time (default 1 into a pipe, else 16)"},
	[OPTION_VERSION] = {'V', "version", NULL, "print the version, and do nothing"},
};

const struct option_row *option_row(enum option_id id)
{
	return &table[id];
}

uint64_t options_of(const struct command *command)
{
	uint64_t common = OPTION_BIT(OPTION_LAST_COMMON + 1) - 1;

	return command ? common | command->options : common | OPTION_BIT(OPTION_VERSION);
}

char option_letter(const struct command *command, enum option_id id)
{
	if (id > OPTION_LAST_COMMON || !command)
		return table[id].letter;
	for (int own = OPTION_LAST_COMMON + 1; own < N_OPTIONS; own++) {
		if (command->options >> own & 1 && table[own].letter == table[id].letter)
			return 0;
	}
	return table[id].letter;
}
