/* The daemon as a child. A thread reads its log all the time, so that the daemon never waits for the test; everything
 * that the thread shares with the test is under `lock`. Waiting for the end is waiting for the end of the log: the pipe
 * closes when the last process that has it is gone. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/daemon.h"

enum { LEFT_VALUES = 3 }; /* the exit status that says so */

enum { MAX_ARGS = 64 };

struct daemon {
	pid_t pid;
	int log_fd;
	pthread_t reader;
	char *directory;
	char *url, *tls_url, *unix_url;
	uint16_t http_port;

	pthread_mutex_t lock;
	pthread_cond_t more; /* the log has grown, or ended */
	char *log;           /* terminated */
	size_t len, cap;
	size_t seen; /* where daemon_log_wait() goes on */
	bool ended;
};

static void log_append(struct daemon *daemon, const char *bytes, size_t len)
{
	if (daemon->len + len + 1 > daemon->cap) {
		daemon->cap = (daemon->len + len + 1) * 2;
		daemon->log = realloc(daemon->log, daemon->cap);
		if (!daemon->log)
			abort();
	}
	memcpy(daemon->log + daemon->len, bytes, len);
	daemon->len += len;
	daemon->log[daemon->len] = '\0';
}

static void *read_log(void *argument)
{
	struct daemon *daemon = argument;
	char bytes[4096];
	ssize_t n;
	while ((n = read(daemon->log_fd, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR)) {
		pthread_mutex_lock(&daemon->lock);
		if (n > 0)
			log_append(daemon, bytes, (size_t)n);
		pthread_cond_broadcast(&daemon->more);
		pthread_mutex_unlock(&daemon->lock);
	}
	pthread_mutex_lock(&daemon->lock);
	daemon->ended = true;
	pthread_cond_broadcast(&daemon->more);
	pthread_mutex_unlock(&daemon->lock);
	return NULL;
}

static struct timespec deadline_from_now(void)
{
	struct timespec deadline;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += DAEMON_DEADLINE_MS / 1000;
	return deadline;
}

/* Waits, under the lock, for more log. False at the deadline. */
static bool wait_more(struct daemon *daemon, const struct timespec *deadline)
{
	return pthread_cond_timedwait(&daemon->more, &daemon->lock, deadline) == 0;
}

void daemon_log_wait(struct daemon *daemon, const char *text)
{
	struct timespec deadline = deadline_from_now();
	pthread_mutex_lock(&daemon->lock);
	const char *found;
	while (!(found = daemon->log ? strstr(daemon->log + daemon->seen, text) : NULL)) {
		bool may_come = !daemon->ended && wait_more(daemon, &deadline);
		ck_assert_msg(may_come, "the daemon's log never had \"%s\":\n%s", text,
			      daemon->log ? daemon->log : "(empty)");
	}
	daemon->seen = (size_t)(found - daemon->log) + strlen(text);
	pthread_mutex_unlock(&daemon->lock);
}

bool daemon_log_has(struct daemon *daemon, const char *text)
{
	pthread_mutex_lock(&daemon->lock);
	bool has = daemon->log && strstr(daemon->log, text);
	pthread_mutex_unlock(&daemon->lock);
	return has;
}

/* -- starting -- */

static bool has_arg(const char *const *args, const char *name)
{
	size_t len = strlen(name);
	for (; args && *args; args++)
		if (strncmp(*args, name, len) == 0 && ((*args)[len] == '\0' || (*args)[len] == '='))
			return true;
	return false;
}

static void program_path(char path[static 4096])
{
	const char *build = getenv("BUILD");
	snprintf(path, 4096, "%s/millraced", build && *build ? build : "build");
	ck_assert_msg(access(path, X_OK) == 0, "%s: %m (set BUILD to the directory that it was built in)", path);
}

/* In the child, between fork and exec: only calls that are safe there. */
static void become(char *const argv[], int out_fd, int err_fd, uint64_t nofile, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	if (nofile > 0)
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){nofile, nofile});
	if ((out_fd >= 0 && dup2(out_fd, 1) < 0) || dup2(err_fd, 2) < 0)
		_exit(126);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(argv[0], argv);
	_exit(127);
}

static pid_t spawn(char *const argv[], int out_fd, int err_fd, uint64_t nofile)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	ck_assert_msg(pid >= 0, "fork: %m");
	if (pid == 0)
		become(argv, out_fd, err_fd, nofile, parent);
	return pid;
}

/* The value of what begins with `scheme` in the line with "ready": allocated, or NULL. */
static char *ready_address(const char *line, const char *scheme)
{
	const char *end = strchr(line, '\n');
	const char *at = strstr(line, scheme);
	if (!at || (end && at > end))
		return NULL;
	return strndup(at, strcspn(at, " ,;\n"));
}

static void learn_addresses(struct daemon *daemon)
{
	daemon_log_wait(daemon, "ready: ");
	daemon_log_wait(daemon, "\n");
	pthread_mutex_lock(&daemon->lock);
	const char *line = strstr(daemon->log, "ready: ");
	daemon->url = ready_address(line, "tcp://");
	daemon->tls_url = ready_address(line, "tls://");
	daemon->unix_url = ready_address(line, "unix://");
	const char *http = strstr(daemon->log, "http://");
	if (http)
		daemon->http_port = (uint16_t)atoi(strchr(http + strlen("http://"), ':') + 1);
	pthread_mutex_unlock(&daemon->lock);
}

struct daemon *daemon_start_limited(const char *const *args, uint64_t nofile)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	daemon->directory = directory_create();
	char program[4096], listen[4200];
	program_path(program);
	snprintf(listen, sizeof(listen), "unix://%s/m.sock", daemon->directory);

	const char *argv[MAX_ARGS + 10] = {program, "--set", "limits.grace_ms=0"};
	size_t n = 3;
	for (size_t i = 0; args && args[i]; i++) {
		ck_assert_uint_lt(n, MAX_ARGS);
		argv[n++] = args[i];
	}
	const char *addresses[] = {"--listen", "tcp://127.0.0.1:0", "--listen", listen};
	if (!has_arg(args, "--listen")) {
		memcpy(argv + n, addresses, sizeof(addresses));
		n += 4;
	}
	if (!has_arg(args, "--http")) {
		argv[n++] = "--http";
		argv[n++] = "none";
	}

	int fds[2];
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	daemon->pid = spawn((char *const *)argv, -1, fds[1], nofile);
	close(fds[1]);
	daemon->log_fd = fds[0];

	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&daemon->lock, NULL);
	pthread_cond_init(&daemon->more, &attributes);
	pthread_condattr_destroy(&attributes);
	ck_assert_int_eq(pthread_create(&daemon->reader, NULL, read_log, daemon), 0);
	learn_addresses(daemon);
	return daemon;
}

struct daemon *daemon_start(const char *const *args)
{
	return daemon_start_limited(args, 0);
}

/* -- looking -- */

const char *daemon_url(const struct daemon *daemon)
{
	ck_assert_ptr_nonnull(daemon->url);
	return daemon->url;
}

const char *daemon_tls_url(const struct daemon *daemon)
{
	ck_assert_ptr_nonnull(daemon->tls_url);
	return daemon->tls_url;
}

const char *daemon_unix_url(const struct daemon *daemon)
{
	ck_assert_ptr_nonnull(daemon->unix_url);
	return daemon->unix_url;
}

const char *daemon_unix_path(const struct daemon *daemon)
{
	return daemon_unix_url(daemon) + strlen("unix://");
}

uint16_t daemon_port(const struct daemon *daemon)
{
	int port = atoi(strrchr(daemon_url(daemon), ':') + 1);
	ck_assert_int_gt(port, 0);
	return (uint16_t)port;
}

uint16_t daemon_http_port(const struct daemon *daemon)
{
	ck_assert_uint_gt(daemon->http_port, 0);
	return daemon->http_port;
}

pid_t daemon_pid(const struct daemon *daemon)
{
	return daemon->pid;
}

/* -- stopping -- */

void daemon_signal(struct daemon *daemon, int signal_number)
{
	ck_assert_int_eq(kill(daemon->pid, signal_number), 0);
}

static int exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void wait_log_end(struct daemon *daemon)
{
	struct timespec deadline = deadline_from_now();
	pthread_mutex_lock(&daemon->lock);
	while (!daemon->ended)
		ck_assert_msg(wait_more(daemon, &deadline), "the daemon did not end:\n%s",
			      daemon->log ? daemon->log : "");
	pthread_mutex_unlock(&daemon->lock);
}

/* Its end, and what a sanitizer has to say. */
static void expect_end(struct daemon *daemon, int expected_code)
{
	int status;
	wait_log_end(daemon);
	ck_assert_int_eq(waitpid(daemon->pid, &status, 0), daemon->pid);
	pthread_join(daemon->reader, NULL);
	if (expected_code == 0 && exit_code(status) == LEFT_VALUES)
		expected_code = LEFT_VALUES;
	ck_assert_msg(exit_code(status) == expected_code, "the daemon ended with %d:\n%s", exit_code(status),
		      daemon->log);
	ck_assert_msg(!strstr(daemon->log, "Sanitizer") && !strstr(daemon->log, "runtime error"),
		      "a sanitizer speaks:\n%s", daemon->log);

	close(daemon->log_fd);
	pthread_cond_destroy(&daemon->more);
	pthread_mutex_destroy(&daemon->lock);
	directory_destroy(daemon->directory);
	free(daemon->log);
	free(daemon->url);
	free(daemon->tls_url);
	free(daemon->unix_url);
	free(daemon);
}

void daemon_stop_by(struct daemon *daemon, int signal_number)
{
	if (signal_number)
		daemon_signal(daemon, signal_number);
	expect_end(daemon, 0);
}

void daemon_kill(struct daemon *daemon)
{
	daemon_signal(daemon, SIGKILL);
	expect_end(daemon, 128 + SIGKILL);
}

void daemon_stop(struct daemon *daemon)
{
	daemon_stop_by(daemon, SIGTERM);
}

/* -- runs that end by themselves -- */

/* Reads what is there into text[]; what is over its room is read and thrown away. False at the end. */
static bool drain(int fd, char *text, size_t *len, size_t room)
{
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof(bytes));
	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	size_t kept = (size_t)n < room - 1 - *len ? (size_t)n : room - 1 - *len;
	memcpy(text + *len, bytes, kept);
	*len += kept;
	text[*len] = '\0';
	return true;
}

static void collect(int out_fd, int err_fd, struct daemon_run *run)
{
	size_t out_len = 0, err_len = 0;
	struct pollfd fds[2] = {{.fd = out_fd, .events = POLLIN}, {.fd = err_fd, .events = POLLIN}};
	uint64_t deadline_ms = test_now_ms() + DAEMON_DEADLINE_MS;
	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		uint64_t now_ms = test_now_ms();
		ck_assert_msg(now_ms < deadline_ms, "the run did not end: %s%s", run->out, run->err);
		poll(fds, 2, (int)(deadline_ms - now_ms));
		if (fds[0].revents && !drain(out_fd, run->out, &out_len, sizeof(run->out)))
			fds[0].fd = -1;
		if (fds[1].revents && !drain(err_fd, run->err, &err_len, sizeof(run->err)))
			fds[1].fd = -1;
	}
}

void daemon_run(const char *const *args, struct daemon_run *run)
{
	char program[4096];
	program_path(program);
	const char *argv[MAX_ARGS + 1] = {program};
	for (size_t i = 0; args && args[i]; i++) {
		ck_assert_uint_lt(i + 1, MAX_ARGS);
		argv[i + 1] = args[i];
	}
	*run = (struct daemon_run){0};
	int out[2], err[2], status;
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	pid_t pid = spawn((char *const *)argv, out[1], err[1], 0);
	close(out[1]);
	close(err[1]);
	collect(out[0], err[0], run);
	close(out[0]);
	close(err[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	run->exit_code = exit_code(status);
}
