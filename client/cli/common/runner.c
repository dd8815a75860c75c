#include "client/cli/common/runner.h"

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

#include "client/cli/common/child.h"
#include "client/cli/common/report.h"
#include "client/cli/common/session.h"
#include "client/net/clock.h"

enum {
	LEASE_MS = 30 * 1000,
	ENVELOPE_BYTES = 1024, /* of a put, beside the value */
	THREAD_STACK_BYTES = 512 * 1024,
	FILES = 32,            /* that are open whatever runs */
	FILES_PER_COMMAND = 8, /* its connection, and its pipes while it begins */
};

/* -- What the kinds use -- */

void runner_stop_with(struct runner *runner, int code)
{
	pthread_mutex_lock(&runner->lock);
	if (runner->code == EXIT_OK)
		runner->code = code;
	pthread_mutex_unlock(&runner->lock);
	latch_open(&runner->stop);
}

void runner_stop_for(struct runner *runner, mr *m, const char *channel, int status)
{
	bool is_first;

	pthread_mutex_lock(&runner->lock);
	is_first = !runner->has_told;
	runner->has_told = true;
	pthread_mutex_unlock(&runner->lock);
	runner_stop_with(runner,
			 is_first ? session_report(runner->call, m, channel, status, NULL) : report_code(status));
}

/* -- One value -- */

static void do_job(struct runner *runner, struct job *job)
{
	const struct call *call = runner->call;
	int64_t pause_ms;
	bool is_last;

	if (runner->kind->open && !runner->kind->open(runner, job)) {
		runner_settle(runner, job);
		return;
	}
	for (job->attempt = 1;; job->attempt++) {
		is_last = job->attempt > call->retries ||
			  latch_is_open(&runner->stop); /* who stops gets one more attempt, without a pause */
		if (runner_attempt(runner, job))
			return;
		if (is_last || job->is_hopeless || latch_is_open(&runner->abort))
			break;
		pause_ms = runner_pause_ms(runner, job->attempt);
		if (!call->quiet)
			report(call, call->args[0],
			       "%s: %s; attempt %" PRIu64 " of %" PRIu64 ", again in %" PRId64 " ms", call->args[1],
			       job->why, job->attempt, call->retries + 1, pause_ms);
		latch_pause(&runner->stop, pause_ms);
	}
	runner->n_failed++;
	runner->kind->fail(runner, job);
}

/* The next value; false: there is none to come. */
static bool take(struct runner_thread *thread, struct job *job)
{
	struct runner *runner = thread->runner;
	struct mr_result result;
	bool may_take;
	int status;

	pthread_mutex_lock(&runner->lock);
	may_take = runner->n_left > 0 && !latch_is_open(&runner->stop);
	runner->n_left -= may_take;
	pthread_mutex_unlock(&runner->lock);
	if (!may_take)
		return false;
	status = runner_take(thread, &result);
	if (status == MR_OK) {
		*job = (struct job){
			.thread = thread,
			.taken = {result.raw, result.raw_len},
			.value = {result.raw, result.raw_len},
			.lease.token = result.lease,
			.delivery = result.lease ? result.deliveries : 0,
		};
		result.raw = result.lease = NULL;
		mr_result_finish(&result);
		extender_add(&runner->extender, &job->lease);
	} else if (status == MR_CLOSED) {
		latch_open(&runner->stop);
	} else if (status != MR_CANCELLED) {
		runner_stop_for(runner, thread->m, runner->call->args[0], status);
	}
	return status == MR_OK;
}

static void *work(void *arg)
{
	struct runner_thread *thread = arg;
	struct runner *runner = thread->runner;
	struct job job;
	int code = session_open(runner->call, &thread->m);

	if (code != EXIT_OK)
		runner_stop_with(runner, code);
	while (code == EXIT_OK && take(thread, &job)) {
		if (!job.lease.token || !latch_is_open(&runner->stop))
			do_job(runner, &job);
		else /* stopped before anything was done */
			runner_return_untouched(runner, &job);
		extender_remove(&runner->extender, &job.lease);
		mr_free((char *)job.taken.bytes);
	}
	mr_destroy(thread->m);
	eventfd_write(runner->ended_fd, 1);
	return NULL;
}

/* -- All of it -- */

/* A descriptor of the signals that end this program, and of ends of processes, which all threads to come block. One
 * that is ignored stays so. -1: they do what they did before. */
static int catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
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

static void take_signal(struct runner *runner, int signal_fd)
{
	const struct call *call = runner->call;
	struct signalfd_siginfo signal;

	if (read(signal_fd, &signal, sizeof signal) != sizeof signal)
		return;
	if (signal.ssi_signo == SIGCHLD) {
		child_reap_orphans();
		return;
	}
	runner->is_interrupted |= signal.ssi_signo == SIGINT;
	if (!latch_is_open(&runner->stop)) {
		if (!call->quiet)
			report(call, call->args[0],
			       "takes no more, and ends when the commands have ended; another signal ends them");
		latch_open(&runner->stop);
	} else {
		latch_open(&runner->abort);
	}
}

/* Waits until the threads have ended, and for signals meanwhile. */
static void attend(struct runner *runner, uint64_t n_threads, int signal_fd)
{
	struct pollfd fds[] = {{.fd = runner->ended_fd, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
	uint64_t n_ended = 0;
	eventfd_t n;

	while (n_ended < n_threads) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents && eventfd_read(runner->ended_fd, &n) == 0)
			n_ended += n;
		if (fds[1].revents)
			take_signal(runner, signal_fd);
	}
}

/* Runs the threads to their end. */
static void run_threads(struct runner *runner)
{
	uint64_t wanted = runner->call->jobs ? runner->call->jobs : 1, n = 0;
	int signal_fd = catch_signals(), error = 0;
	struct runner_thread *threads;
	pthread_attr_t attributes;

	/* After catch_signals(), so that no signal is its thread's. */
	if (extender_init(&runner->extender, runner->m, runner->lease_ms) < 0) {
		runner->code = report(runner->call, NULL, "no thread that keeps the leases: %s", strerror(errno));
		return;
	}
	wanted = wanted < runner->n_left ? wanted : runner->n_left;
	threads = calloc(wanted, sizeof *threads);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
	for (; threads && n < wanted && !error; n += !error) {
		threads[n].runner = runner;
		snprintf(threads[n].number, sizeof threads[n].number, "MILLRACE_WORKER=%" PRIu64, n + 1);
		error = pthread_create(&threads[n].thread, &attributes, work, &threads[n]);
	}
	pthread_attr_destroy(&attributes);
	if (n < wanted) {
		report(runner->call, NULL, "only %" PRIu64 " of %" PRIu64 " commands at a time: %s", n, wanted,
		       strerror(error ? error : ENOMEM));
		runner_stop_with(runner, EXIT_ERROR);
	}
	attend(runner, n, signal_fd);
	for (uint64_t i = 0; i < n; i++)
		pthread_join(threads[i].thread, NULL);
	free(threads);
	if (signal_fd >= 0)
		close(signal_fd);
}

/* Whether values can be put there, as far as one may know: before anything is taken that would find no place. */
static int check_target(struct runner *runner, const char *channel)
{
	json_t *row = NULL;
	int status = channel ? mr_stat(runner->m, channel, &row) : MR_OK;

	if (status == MR_OK && json_is_true(json_object_get(row, "closed")))
		status = MR_CLOSED;
	json_decref(row);
	if (status == MR_ENO_SUCH_CHANNEL || status == MR_CLOSED)
		return session_report(runner->call, runner->m, channel, status, NULL);
	return EXIT_OK; /* who may put need not have the right to look */
}

static int prepare(struct runner *runner)
{
	const struct call *call = runner->call;
	json_t *hello = NULL;
	int status = mr_hello(runner->m, &hello), code;

	runner->max_value_bytes =
		(size_t)json_integer_value(json_object_get(hello, "max_frame_bytes")) - ENVELOPE_BYTES;
	json_decref(hello);
	runner->ended_fd = eventfd(0, EFD_CLOEXEC);
	runner->lease_ms = call->lease_ms == MR_FOREVER ? LEASE_MS : call->lease_ms;
	if (latch_init(&runner->stop) < 0 || latch_init(&runner->abort) < 0 || runner->ended_fd < 0)
		return report(call, NULL, "no more open files: %s", strerror(errno));
	code = report_status(call, NULL, status, NULL);
	if (code == EXIT_OK)
		code = check_target(runner, call->to);
	return code == EXIT_OK ? check_target(runner, call->failed) : code;
}

static int conclude(const struct runner *runner)
{
	const struct call *call = runner->call;

	if (call->format == FORMAT_JSON)
		printf("{\"done\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"lost\":%" PRIu64
		       ",\"returned\":%" PRIu64 "}\n",
		       runner->n_done, runner->n_failed, runner->n_dropped, runner->n_lost, runner->n_returned);
	if (runner->code != EXIT_OK)
		return runner->code;
	if (runner->n_lost || runner->n_returned)
		return EXIT_ERROR;
	if (runner->is_interrupted)
		return EXIT_INTERRUPTED;
	return runner->n_dropped ? EXIT_DROPPED : EXIT_OK;
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

int runner_check(const struct call *call)
{
	int error = child_find_program(call->args[1]);

	if (error)
		return report_usage(call, "the command '%s' cannot be run: %s", call->args[1], strerror(error));
	return allow_files(call);
}

int runner_run(const struct call *call, mr *m, const struct runner_kind *kind)
{
	struct runner runner = {
		.call = call,
		.kind = kind,
		.m = m,
		.n_left = call->number ? call->number : UINT64_MAX,
		.stop.fd = -1,
		.abort.fd = -1,
		.ended_fd = -1,
		.extender.end.fd = -1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	int code;

	recovery_init(&runner.recovery, call);
	code = prepare(&runner);
	if (code == EXIT_OK) {
		run_threads(&runner);
		code = conclude(&runner);
	}
	extender_finish(&runner.extender);
	recovery_finish(&runner.recovery);
	latch_finish(&runner.stop);
	latch_finish(&runner.abort);
	if (runner.ended_fd >= 0)
		close(runner.ended_fd);
	pthread_mutex_destroy(&runner.lock);
	return code;
}
