/* millrace bench: how fast is this daemon, from here? Its channel is ephemeral, and so goes away whatever becomes of
 * this program. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/common/interrupt.h"
#include "client/cli/common/load.h"
#include "client/cli/common/output.h"
#include "client/cli/common/report.h"
#include "client/cli/common/terminal.h"
#include "client/net/clock.h"

enum { CAPACITY = 1000, EVERY_MS = 200 };

static const struct {
	const char *name;
	double part;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};

struct load_outcome {
	double seconds;
	struct load_sums sums;
	struct histogram latencies; /* in nanoseconds */
};

/* -- What it tells -- */

static double quantile_us(const struct load_outcome *outcome, size_t i)
{
	return (double)(quantiles[i].part < 1 ? histogram_quantile(&outcome->latencies, quantiles[i].part)
					      : outcome->latencies.max) /
	       1e3;
}

static double rate(const struct load_outcome *outcome)
{
	return outcome->seconds > 0 ? (double)outcome->sums.taken / outcome->seconds : 0;
}

static void tell_json(const struct call *call, const struct load_outcome *outcome)
{
	printf("{\"kind\":\"%s\",\"producers\":%" PRIu64 ",\"consumers\":%" PRIu64 ",\"size\":%" PRIu64
	       ",\"window\":%" PRIu64 ",\"batch\":%" PRIu64,
	       call->kind, call->producers, call->consumers, call->size, call->window, call->batch);
	printf(",\"seconds\":%.6f,\"taken\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"evicted\":%" PRIu64
	       ",\"per_second\":%.0f,\"latency_us\":{",
	       outcome->seconds, outcome->sums.taken, outcome->sums.dropped, outcome->sums.evicted, rate(outcome));
	for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
		printf("%s\"%s\":%.1f", i ? "," : "", quantiles[i].name, quantile_us(outcome, i));
	puts("}}");
}

static void tell_raw(const struct load_outcome *outcome)
{
	printf("seconds\t%.6f\ntaken\t%" PRIu64 "\ndropped\t%" PRIu64 "\nevicted\t%" PRIu64 "\nper_second\t%.0f\n",
	       outcome->seconds, outcome->sums.taken, outcome->sums.dropped, outcome->sums.evicted, rate(outcome));
	for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
		printf("%s\t%.1f\n", quantiles[i].name, quantile_us(outcome, i));
}

static void tell_text(const struct call *call, const struct load_outcome *outcome)
{
	printf("%" PRIu64 " to %" PRIu64 " over one %s channel, %" PRIu64
	       " requests in flight on each connection, values of %" PRIu64 " bytes",
	       call->producers, call->consumers, call->kind, call->window, call->size);
	if (call->batch > 1)
		printf(" in batches of %" PRIu64, call->batch);
	printf("\n%" PRIu64 " values taken in %.1f s: %.0f a second, %.1f MB/s\n", outcome->sums.taken,
	       outcome->seconds, rate(outcome), rate(outcome) * (double)call->size / 1e6);
	if (outcome->sums.dropped)
		printf("%" PRIu64 " dropped\n", outcome->sums.dropped);
	if (outcome->sums.evicted)
		printf("%" PRIu64 " evicted\n", outcome->sums.evicted);
	if (!outcome->latencies.n)
		return;
	puts("from put to arrival:");
	for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
		printf("  %-6s %10.1f us\n", quantiles[i].name, quantile_us(outcome, i));
}

static void tell(const struct call *call, const struct load_outcome *outcome)
{
	switch (call->format) {
	case FORMAT_TEXT:
		tell_text(call, outcome);
		break;
	case FORMAT_JSON:
		tell_json(call, outcome);
		break;
	case FORMAT_RAW:
		tell_raw(outcome);
		break;
	}
}

static void show_progress(const struct call *call, int64_t elapsed_ms, uint64_t taken, uint64_t taken_before)
{
	fprintf(stderr, "\r\033[K%.1f of %.1f s, %.0f values a second", (double)elapsed_ms / 1e3,
		(double)call->duration_ms / 1e3, (double)(taken - taken_before) * 1e3 / EVERY_MS);
	fflush(stderr);
}

/* -- The run -- */

/* Until the time is over, a worker fails, or somebody presses Ctrl-C. */
static void watch(const struct call *call, const struct load *load, int interrupt_fd)
{
	struct pollfd interrupt = {.fd = interrupt_fd, .events = POLLIN};
	bool shows = !call->quiet && isatty(STDERR_FILENO);
	int64_t begun_ms = clock_now_ms(), elapsed_ms;
	uint64_t taken = 0;

	while ((elapsed_ms = clock_now_ms() - begun_ms) < call->duration_ms && !load_has_failed(load) &&
	       !interrupt_happened()) {
		int64_t left_ms = call->duration_ms - elapsed_ms;

		(void)poll(&interrupt, 1, left_ms < EVERY_MS ? (int)left_ms : EVERY_MS);
		if (shows && left_ms > EVERY_MS && terminal_is_ours(STDERR_FILENO)) {
			uint64_t now_taken = load_sums(load).taken;

			show_progress(call, clock_now_ms() - begun_ms, now_taken, taken);
			taken = now_taken;
		}
	}
	if (shows && terminal_is_ours(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static int measure(const struct call *call, mr *control, const char *channel)
{
	static struct load_outcome outcome; /* large */
	struct load load = {.call = call, .channel = channel};
	int interrupt_fd = interrupt_catch(), code = load_begin(&load);

	if (code == EXIT_OK) {
		int64_t begun_us = clock_now_us();

		watch(call, &load, interrupt_fd);
		outcome.seconds = (double)(clock_now_us() - begun_us) / 1e6;
		outcome.sums = load_sums(&load);
	}
	load_end(&load, control);
	if (code == EXIT_OK && load.status != MR_OK) {
		code = report(call, NULL, "%s", load.message);
	} else if (code == EXIT_OK) {
		load_latencies(&load, &outcome.latencies);
		tell(call, &outcome);
		code = interrupt_happened() ? interrupt_code() : EXIT_OK;
	}
	load_finish(&load);
	return code;
}

/* Options that were not given have their defaults. */
static struct call with_defaults(struct call call)
{
	call.producers = call.producers ? call.producers : 1;
	call.consumers = call.consumers ? call.consumers : 1;
	call.size = call.size ? call.size : 50;
	call.window = call.window ? call.window : 64;
	call.batch = call.batch ? call.batch : 1;
	call.duration_ms = call.duration_ms ? call.duration_ms : 5000;
	call.kind = call.kind ? call.kind : "bounded";
	return call;
}

static int run_bench(const struct call *given, mr *control)
{
	struct call call = with_defaults(*given);
	struct mr_definition definition = {
		.kind = call.kind, .capacity = strcmp(call.kind, "unbuffered") == 0 ? 0 : CAPACITY, .ephemeral = true};
	char *channel = NULL;
	int code = report_status(&call, NULL, mr_create(control, NULL, &definition, NULL, &channel), NULL);

	if (code == EXIT_OK) {
		code = measure(&call, control, channel);
		(void)mr_delete(control, channel, true, NULL);
	}
	mr_free(channel);
	return code;
}

const struct command bench_command = {
	.name = "bench",
	.arguments = "",
	.summary = "measure how fast values go through the daemon",
	.description =
		"Puts values through a channel of its own for some seconds, and tells how many arrived a second, "
		"and how long each took from its put to its arrival. The channel goes away at the end. Every "
		"producer and consumer is a thread with a connection, and keeps so many requests in flight as "
		"--window says: with 1 you see latencies of one at a time, with more what the daemon can carry. "
		"Over channels that buffer (1000 values) a value's time includes its time in the queue. On a "
		"terminal it shows how it goes; Ctrl-C ends it early, and it tells what it has measured.\n\n"
		"json prints one object, raw a line for each number with a tab between name and number. Times are "
		"microseconds.",
	.examples = "  millrace bench\n"
		    "  millrace bench --kind unbuffered --window 1 --duration 10s\n"
		    "  millrace bench -p 4 -c 4 --size 1024 --batch 64 -o json | jq .per_second\n",
	.options = OPTION_BIT(OPTION_PRODUCERS) | OPTION_BIT(OPTION_CONSUMERS) | OPTION_BIT(OPTION_SIZE) |
		   OPTION_BIT(OPTION_WINDOW) | OPTION_BIT(OPTION_BATCH) | OPTION_BIT(OPTION_DURATION) |
		   OPTION_BIT(OPTION_KIND),
	.exits = COMMON_EXITS,
	.run_connected = run_bench,
};
