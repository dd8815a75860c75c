#include "client/cli/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/cli/child.h"
#include "client/cli/clock.h"
#include "client/cli/report.h"
#include "client/cli/session.h"

enum {
	OVERLOAD_PAUSE_MS = 250,
	LEASE_MS = 30 * 1000,
	ENVELOPE_BYTES = 1024, /* of an alts that puts, beside the value */
	THREAD_STACK_BYTES = 512 * 1024,
	FILES = 32,            /* that are open whatever runs */
	FILES_PER_COMMAND = 5, /* while it begins */
};

/* -- What the kinds use -- */

void worker_count(struct worker *worker, uint64_t *counter)
{
	pthread_mutex_lock(&worker->lock);
	*counter += 1;
	pthread_mutex_unlock(&worker->lock);
}

void worker_stop_with(struct worker *worker, int code)
{
	pthread_mutex_lock(&worker->lock);
	if (worker->code == EXIT_OK)
		worker->code = code;
	pthread_mutex_unlock(&worker->lock);
	gate_open(&worker->stop);
}

void worker_stop_for(struct worker *worker, const char *channel, int status)
{
	bool is_first;

	pthread_mutex_lock(&worker->lock);
	is_first = !worker->has_told;
	worker->has_told = true;
	pthread_mutex_unlock(&worker->lock);
	worker_stop_with(worker, is_first ? report_status(worker->call, channel, status, NULL) : report_code(status));
}

/* The first of two arms that can. The daemon may let nobody park for so long (max_park_ms): then it is asked again. */
static int choose(struct worker *worker, const struct mr_arm arms[2], const struct mr_alts_options *options,
		  int64_t timeout_ms, struct mr_choice *choice)
{
	int64_t deadline_ms = clock_ms() + timeout_ms, left_ms = timeout_ms;
	int status;

	while ((status = mr_alts_with(worker->m, arms, 2, options, left_ms, choice)) == MR_TIMEOUT) {
		if (timeout_ms == MR_FOREVER)
			continue;
		left_ms = deadline_ms - clock_ms();
		if (left_ms <= 0)
			break;
	}
	return status;
}

int worker_put(struct worker *worker, const char *channel, struct slice value, int64_t timeout_ms)
{
	struct mr_arm arms[] = {{.channel = channel, .raw = value.bytes, .raw_len = value.len},
				{.channel = worker->abort.channel}};

	struct mr_alts_options options = {.priority = true};

	for (;;) {
		struct mr_choice choice;
		int status = choose(worker, arms, &options, timeout_ms, &choice);
		bool is_aborted = status == MR_CLOSED && choice.arm == 1;

		mr_choice_finish(&choice);
		if (is_aborted)
			return MR_CANCELLED;
		if (status != MR_EOVERLOADED && status != MR_ETOO_MANY_WAITERS)
			return status;
		if (gate_is_open(&worker->abort))
			return status;
		gate_pause(&worker->abort, OVERLOAD_PAUSE_MS);
	}
}

/* -- One value -- */

static void do_job(struct worker *worker, struct job *job, const char *number)
{
	const struct call *call = worker->call;
	int64_t pause_ms;
	bool is_last;

	if (!worker->kind->open(worker, job)) {
		worker_settle(worker, job);
		return;
	}
	for (job->attempt = 1;; job->attempt++) {
		is_last = job->attempt > call->retries ||
			  gate_is_open(&worker->stop); /* who stops gets one more attempt, without a pause */
		if (worker_attempt(worker, job, number))
			return;
		if (is_last || job->is_hopeless || gate_is_open(&worker->abort))
			break;
		pause_ms = worker_pause_ms(worker, job->attempt);
		if (!call->quiet)
			report(call, call->args[0],
			       "%s: %s; attempt %" PRIu64 " of %" PRIu64 ", again in %" PRId64 " ms", call->args[1],
			       job->why, job->attempt, call->retries + 1, pause_ms);
		gate_pause(&worker->stop, pause_ms);
	}
	worker_count(worker, &worker->n_failed);
	worker->kind->fail(worker, job);
}

/* The next value; false: there is none to come. */
static bool take(struct worker *worker, struct job *job)
{
	const struct call *call = worker->call;
	struct mr_arm arms[] = {{.channel = worker->stop.channel}, {.channel = call->args[0]}};
	struct mr_alts_options options = {.priority = true, .lease_ms = worker->lease_ms};
	struct mr_choice choice;
	bool may_take, is_taken;
	int status;

	pthread_mutex_lock(&worker->lock);
	may_take = worker->n_left > 0 && !gate_is_open(&worker->stop);
	worker->n_left -= may_take;
	pthread_mutex_unlock(&worker->lock);
	if (!may_take)
		return false;
	status = choose(worker, arms, &options, call->timeout_ms, &choice);
	is_taken = status == MR_OK;
	if (is_taken) {
		*job = (struct job){
			.taken = {choice.raw, choice.raw_len},
			.value = {choice.raw, choice.raw_len},
			.lease.token = choice.lease,
			.delivery = choice.lease ? choice.deliveries : 0,
		};
		choice.raw = choice.lease = NULL;
		keeper_hold(&worker->keeper, &job->lease);
	} else if (status == MR_CLOSED) {
		gate_open(&worker->stop);
	} else if (status != MR_OK) {
		worker_stop_for(worker, call->args[0], status);
	}
	mr_choice_finish(&choice);
	return is_taken;
}

struct thread {
	struct worker *worker;
	pthread_t thread;
	char number[40]; /* as the command's environment has it */
};

static void *work(void *arg)
{
	struct thread *thread = arg;
	struct job job;

	while (take(thread->worker, &job)) {
		do_job(thread->worker, &job, thread->number);
		keeper_let_go(&thread->worker->keeper, &job.lease);
		mr_free((char *)job.taken.bytes);
	}
	eventfd_write(thread->worker->ended_fd, 1);
	return NULL;
}

/* -- All of it -- */

/* A descriptor of the signals that end this program, which all threads to come block. One that is ignored stays so. -1:
 * they do what they did before. */
static int catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction old;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&set, numbers[i]);
	}
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd >= 0)
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	return fd;
}

static void take_signal(struct worker *worker, int signal_fd)
{
	const struct call *call = worker->call;
	struct signalfd_siginfo signal;

	if (read(signal_fd, &signal, sizeof signal) != sizeof signal)
		return;
	worker->is_interrupted |= signal.ssi_signo == SIGINT;
	if (!gate_is_open(&worker->stop)) {
		if (!call->quiet)
			report(call, call->args[0],
			       "takes no more, and ends when the commands have ended; another signal ends them");
		gate_open(&worker->stop);
	} else {
		gate_open(&worker->abort);
	}
}

/* Waits until the threads have ended, and for signals meanwhile. */
static void attend(struct worker *worker, uint64_t n_threads, int signal_fd)
{
	struct pollfd fds[] = {{.fd = worker->ended_fd, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
	uint64_t n_ended = 0;
	eventfd_t n;

	while (n_ended < n_threads) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents && eventfd_read(worker->ended_fd, &n) == 0)
			n_ended += n;
		if (fds[1].revents)
			take_signal(worker, signal_fd);
	}
}

/* Runs the threads to their end. */
static void run_threads(struct worker *worker)
{
	uint64_t wanted = worker->call->jobs ? worker->call->jobs : 1, n = 0;
	int signal_fd = catch_signals(), error = 0;
	struct thread *threads;
	pthread_attr_t attributes;

	if (keeper_init(&worker->keeper, worker->m, worker->lease_ms) <
	    0) { /* after catch_signals(): no signal is this thread's */
		report(worker->call, NULL, "no thread that keeps the leases: %s", strerror(errno));
		worker->code = EXIT_ERROR;
		return;
	}
	wanted = wanted < worker->n_left ? wanted : worker->n_left;
	threads = calloc(wanted, sizeof *threads);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
	for (; threads && n < wanted && !error; n += !error) {
		threads[n].worker = worker;
		snprintf(threads[n].number, sizeof threads[n].number, "MILLRACE_WORKER=%" PRIu64, n + 1);
		error = pthread_create(&threads[n].thread, &attributes, work, &threads[n]);
	}
	pthread_attr_destroy(&attributes);
	if (n < wanted) {
		report(worker->call, NULL, "only %" PRIu64 " of %" PRIu64 " commands at a time: %s", n, wanted,
		       strerror(error ? error : ENOMEM));
		worker_stop_with(worker, EXIT_ERROR);
	}
	attend(worker, n, signal_fd);
	for (uint64_t i = 0; i < n; i++)
		pthread_join(threads[i].thread, NULL);
	free(threads);
	if (signal_fd >= 0)
		close(signal_fd);
}

static int prepare(struct worker *worker)
{
	const struct call *call = worker->call;
	json_t *hello = NULL;
	int status = mr_hello(worker->m, &hello);

	worker->max_value_bytes =
		(size_t)json_integer_value(json_object_get(hello, "max_frame_bytes")) - ENVELOPE_BYTES;
	json_decref(hello);
	if (status == MR_OK)
		status = gate_init(&worker->stop, worker->m);
	if (status == MR_OK)
		status = gate_init(&worker->abort, worker->m);
	worker->ended_fd = eventfd(0, EFD_CLOEXEC);
	worker->lease_ms = call->lease_ms == MR_FOREVER ? LEASE_MS : call->lease_ms;
	if (status == MR_OK && (worker->stop.fd < 0 || worker->abort.fd < 0 || worker->ended_fd < 0)) {
		report(call, NULL, "no more open files: %s", strerror(errno));
		return EXIT_ERROR;
	}
	return report_status(call, NULL, status, NULL);
}

static int conclude(const struct worker *worker)
{
	const struct call *call = worker->call;

	if (call->format == FORMAT_JSON)
		printf("{\"done\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"lost\":%" PRIu64
		       ",\"returned\":%" PRIu64 "}\n",
		       worker->n_done, worker->n_failed, worker->n_dropped, worker->n_lost, worker->n_returned);
	if (worker->code != EXIT_OK)
		return worker->code;
	if (worker->n_lost || worker->n_returned)
		return EXIT_ERROR;
	if (worker->is_interrupted)
		return EXIT_INTERRUPTED;
	return worker->n_dropped ? EXIT_DROPPED : EXIT_OK;
}

/* Makes sure that so many commands can be run at a time. */
static int allow_files(const struct call *call)
{
	rlim_t needed = FILES + FILES_PER_COMMAND * (rlim_t)call->jobs;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
		return EXIT_OK;
	if (limit.rlim_max < needed)
		return report_usage(call, "-j %" PRIu64 " needs %ju open files, and only %ju are allowed (ulimit -Hn)",
				    call->jobs, (uintmax_t)needed, (uintmax_t)limit.rlim_max);
	limit.rlim_cur = needed;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return EXIT_OK;
}

/* Before anything is taken: a command that cannot be is a mistake of the caller's. */
static int check_call(const struct call *call)
{
	int error = child_look(call->args[1]), code = session_check_channel(call, call->args[0]);

	if (code == EXIT_OK && call->to)
		code = session_check_channel(call, call->to);
	if (code == EXIT_OK && call->failed)
		code = session_check_channel(call, call->failed);
	if (code == EXIT_OK && error)
		code = report_usage(call, "the command '%s' cannot be run: %s", call->args[1], strerror(error));
	return code == EXIT_OK ? allow_files(call) : code;
}

int worker_run(const struct call *call, const struct worker_kind *kind)
{
	struct worker worker = {
		.call = call,
		.kind = kind,
		.n_left = call->number ? call->number : UINT64_MAX,
		.stop.fd = -1,
		.abort.fd = -1,
		.ended_fd = -1,
		.keeper.end_fd = -1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	int code = check_call(call);

	if (code == EXIT_OK)
		code = session_open(call, &worker.m);
	if (code != EXIT_OK)
		return code;
	code = prepare(&worker);
	if (code == EXIT_OK) {
		run_threads(&worker);
		code = conclude(&worker);
	}
	keeper_finish(&worker.keeper);
	gate_finish(&worker.stop);
	gate_finish(&worker.abort);
	if (worker.ended_fd >= 0)
		close(worker.ended_fd);
	mr_destroy(worker.m);
	pthread_mutex_destroy(&worker.lock);
	return code;
}
