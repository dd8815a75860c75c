/* The load driver: one thread, epoll, any of the brokers, one workload a run. Prints "started" when it has warmed up,
 * and at the end one line of JSON.
 *
 *   driver PROTOCOL PORT [pairs=N] [producers=N] [consumers=N] [window=N] [consumer_window=N] [batch=N] [size=BYTES]
 * [arms=N] [ms=N] [pingpong=1] [tls=1] [half=1] [style=0|1|2] [queue=NAME]
 *
 * A hand-off is a value that was put and has been taken. Every connection keeps `window` requests in flight; pairs put
 * and take in turn. In a ping-pong a take waits before each put, and the time is from the put to the value's arrival.
 * What is taken is compared with what was put. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/load.h"

enum { WARM_UP_MS = 60 };

static const struct protocol *const protocols[] = {
	&protocol_millrace,     &protocol_millrace_credit, &protocol_redis, &protocol_beanstalkd, &protocol_nats,
	&protocol_nats_verbose, &protocol_jetstream,       &protocol_amqp,  &protocol_echo,
};

char queue[32];
size_t value_bytes;

void fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void add(struct buffer *out, const char *text)
{
	buffer_append(out, text, strlen(text));
}

void addf(struct buffer *out, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	add(out, text);
}

static void set(struct workload *work, const char *assignment)
{
	unsigned pingpong = work->pingpong, tls = work->tls, half = work->half;
	if (sscanf(assignment, "queue=%31s", queue) == 1)
		return;
	const struct {
		const char *name;
		unsigned *number;
	} settings[] = {
		{"pairs=", &work->pairs},
		{"producers=", &work->producers},
		{"consumers=", &work->consumers},
		{"window=", &work->window},
		{"batch=", &work->batch},
		{"size=", &work->size},
		{"arms=", &work->arms},
		{"ms=", &work->ms},
		{"consumer_window=", &work->consumer_window},
		{"style=", &work->style},
		{"pingpong=", &pingpong},
		{"tls=", &tls},
		{"half=", &half},
	};
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		size_t len = strlen(settings[i].name);
		if (strncmp(assignment, settings[i].name, len) == 0) {
			*settings[i].number = (unsigned)strtoul(assignment + len, NULL, 10);
			work->pingpong = pingpong > 0;
			work->tls = tls > 0;
			work->half = half > 0;
			return;
		}
	}
	fail("unknown setting %s", assignment);
}

static uint64_t cpu_us(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* The latencies at 50, 99 and 99.9 %, in microseconds; zeros if none were measured. */
static void quantiles_us(double quantiles[3])
{
	static const double parts[3] = {0.5, 0.99, 0.999};
	unsigned n;
	const uint32_t *measured = load_latencies_ns(&n);
	uint32_t *sorted = malloc((n + 1) * sizeof(*sorted));
	if (!sorted)
		fail("no memory");
	memcpy(sorted, measured, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	for (int i = 0; i < 3; i++)
		quantiles[i] = n ? sorted[(unsigned)((n - 1) * parts[i])] / 1000.0 : 0;
	free(sorted);
}

int main(int argc, char **argv)
{
	struct workload work = {.window = 1, .batch = 1, .size = 50, .ms = 1000};
	double quantiles[3];
	if (argc < 3)
		fail("usage: driver PROTOCOL PORT [setting=number ...]");
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (strcmp(argv[1], protocols[i]->name) == 0)
			work.protocol = protocols[i];
	if (!work.protocol)
		fail("unknown protocol %s", argv[1]);
	work.port = (unsigned)strtoul(argv[2], NULL, 10);
	for (int i = 3; i < argc; i++)
		set(&work, argv[i]);
	if (work.protocol->has_own_queue)
		snprintf(queue, sizeof(queue), "run-%d", (int)getpid());
	else if (!queue[0])
		snprintf(queue, sizeof(queue), "bench-%u", work.size);
	if (work.style == STYLE_BLANKS) /* its values are others, and a run may leave some behind */
		strncat(queue, "-object", sizeof(queue) - strlen(queue) - 1);

	value_bytes = work.size;
	load_begin(&work);
	load_run(WARM_UP_MS);
	load_forget();
	uint64_t start_ns = load_now_ns(), start_cpu_us = cpu_us();
	printf("started\n"); /* the runner looks at the broker's processor time */
	fflush(stdout);
	load_run(work.ms);
	double seconds = (double)(load_now_ns() - start_ns) / 1e9,
	       busy = (double)(cpu_us() - start_cpu_us) / 1e6 / seconds;
	quantiles_us(quantiles);
	printf("{\"rate\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"driver_cpu\":%.2f,\"handoffs\":%llu}"
	       "\n",
	       (double)load_handoffs() / seconds, quantiles[0], quantiles[1], quantiles[2], busy,
	       (unsigned long long)load_handoffs());
	return 0;
}
