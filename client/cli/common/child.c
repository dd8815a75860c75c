#define _GNU_SOURCE /* pipe2, environ */
#include "client/cli/common/child.h"
#include "client/net/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, GRACE_MS = 5000 };

struct child {
	LIST_ENTRY(child) entry; /* of the commands that run */
	const struct child_task *task;
	pid_t pid;
	int pid_fd;  /* can be read when it has ended */
	int in, out; /* our ends of its pipes; -1: closed, or none */
	size_t n_written;
	int64_t due_ms; /* when it gets the next signal; INT64_MAX: never */
	bool is_ending;
	enum child_end why; /* if is_ending */
};

/* Commands that run, and are not yet reaped. Held while one is spawned, so that nobody takes it for an orphan. */
static LIST_HEAD(, child) running = LIST_HEAD_INITIALIZER(running);
static pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* -- Its beginning -- */

static int spawn(struct child *child, int in, int out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, defaults;
	int error;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE); /* which this program ignores */
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	error = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (!error && out >= 0)
		error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	pthread_mutex_lock(&running_lock);
	if (!error)
		error = posix_spawnp(&child->pid, child->task->argv[0], &actions, &attributes, child->task->argv,
				     child->task->environment);
	if (!error)
		LIST_INSERT_HEAD(&running, child, entry);
	pthread_mutex_unlock(&running_lock);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* Waits for its end, and takes its status. */
static int reap(struct child *child)
{
	int status = 0;

	while (waitid(P_PID, (id_t)child->pid, &(siginfo_t){0}, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&running_lock);
	(void)waitpid(child->pid, &status, 0);
	LIST_REMOVE(child, entry);
	pthread_mutex_unlock(&running_lock);
	return status;
}

static bool is_running(pid_t pid)
{
	const struct child *child;

	LIST_FOREACH(child, &running, entry)
	{
		if (child->pid == pid)
			return true;
	}
	return false;
}

/* 0, or an errno, and nothing is left of it. */
static int begin(struct child *child)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, error = 0;

	if (pipe2(in, O_CLOEXEC) < 0 || (child->task->output && pipe2(out, O_CLOEXEC) < 0))
		error = errno;
	else
		error = spawn(child, in[0], out[1]);
	close_end(&in[0]);
	close_end(&out[1]);
	child->in = in[1];
	child->out = out[0];
	if (!error) {
		child->pid_fd = pidfd_open(child->pid, 0);
		if (child->pid_fd < 0) {
			error = errno;
			kill(-child->pid, SIGKILL);
			(void)reap(child);
		}
	}
	if (error) {
		close_end(&child->in);
		close_end(&child->out);
		return error;
	}
	fcntl(child->in, F_SETFL, O_NONBLOCK);
	if (child->out >= 0)
		fcntl(child->out, F_SETFL, O_NONBLOCK);
	return 0;
}

/* -- Its life -- */

static void end(struct child *child, enum child_end why)
{
	if (child->is_ending)
		return;
	child->is_ending = true;
	child->why = why;
	child->due_ms = clock_now_ms() + GRACE_MS;
	kill(-child->pid, SIGTERM);
}

static void check_time(struct child *child)
{
	if (clock_now_ms() < child->due_ms)
		return;
	if (!child->is_ending) {
		end(child, CHILD_LATE);
		return;
	}
	child->due_ms = INT64_MAX;
	kill(-child->pid, SIGKILL);
}

/* Gives it more of its input. What it does not want to read (EPIPE) it need not. */
static void feed(struct child *child)
{
	struct slice input = child->task->input;
	ssize_t n = write(child->in, input.bytes + child->n_written, input.len - child->n_written);

	if (n > 0)
		child->n_written += (size_t)n;
	if (child->n_written == input.len || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_end(&child->in);
}

/* Reads once. Whether something came. */
static bool read_output(struct child *child)
{
	struct buffer *output = child->task->output;
	char *room = buffer_reserve(output, READ_BYTES);
	ssize_t n = room ? read(child->out, room, READ_BYTES) : 0;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			close_end(&child->out);
		return false;
	}
	buffer_commit(output, (size_t)n);
	if (buffer_len(output) > child->task->max_output) {
		end(child, CHILD_WORDY);
		close_end(&child->out);
	}
	return true;
}

/* One round of waiting. Whether it still lives. */
static bool attend(struct child *child)
{
	struct pollfd fds[] = {
		{.fd = child->pid_fd, .events = POLLIN},
		{.fd = child->in, .events = POLLOUT},
		{.fd = child->out, .events = POLLIN},
		{.fd = child->is_ending ? -1 : child->task->stop_fd, .events = POLLIN},
	};
	int64_t left_ms = child->due_ms == INT64_MAX ? -1 : child->due_ms - clock_now_ms();

	if (child->due_ms != INT64_MAX && left_ms < 0)
		left_ms = 0;
	if (poll(fds, 4, left_ms > INT_MAX ? INT_MAX : (int)left_ms) > 0) {
		if (fds[3].revents)
			end(child, CHILD_STOPPED);
		if (fds[1].revents)
			feed(child);
		if (fds[2].revents)
			(void)read_output(child);
		if (fds[0].revents)
			return false;
	}
	check_time(child);
	return true;
}

enum child_end child_run(const struct child_task *task, int *detail)
{
	struct child child = {.task = task,
			      .in = -1,
			      .out = -1,
			      .due_ms = task->limit_ms < 0 ? INT64_MAX : clock_now_ms() + task->limit_ms};
	int status;

	*detail = begin(&child);
	if (*detail)
		return CHILD_IMPOSSIBLE;
	while (attend(&child))
		;
	while (child.out >= 0 && read_output(&child))
		;
	if (child.is_ending)
		kill(-child.pid, SIGKILL); /* what it started, and has left behind */
	status = reap(&child);
	child_reap_orphans(); /* those that were hidden behind it */
	close(child.pid_fd);
	close_end(&child.in);
	close_end(&child.out);
	if (child.is_ending)
		return child.why;
	*detail = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
	return WIFEXITED(status) ? CHILD_EXITED : CHILD_SIGNALLED;
}

/* -- Around it -- */

/* 0, or errno. */
static int check_program(const char *file)
{
	struct stat about;

	if (access(file, X_OK) < 0 || stat(file, &about) < 0)
		return errno;
	return S_ISREG(about.st_mode) ? 0 : EACCES;
}

int child_find_program(const char *program)
{
	const char *path = getenv("PATH"), *next;
	char file[PATH_MAX];
	int error = ENOENT, found;

	if (strchr(program, '/'))
		return check_program(program);
	for (path = path ? path : "/bin:/usr/bin"; path; path = next ? next + 1 : NULL) {
		next = strchr(path, ':');
		int len = next ? (int)(next - path) : (int)strlen(path);

		snprintf(file, sizeof file, "%.*s%s%s", len, path, len ? "/" : "", program);
		found = check_program(file);
		if (found == 0)
			return 0;
		if (found == EACCES)
			error = EACCES;
	}
	return error;
}

static bool is_set_in(const char *variable, char *const *settings, size_t n)
{
	size_t len = strcspn(variable, "=") + 1;

	for (size_t i = 0; i < n; i++) {
		if (strncmp(settings[i], variable, len) == 0)
			return true;
	}
	return false;
}

char **child_environment(char *const *settings, size_t n)
{
	size_t n_own = 0, n_all = 0;
	char **all;

	while (environ[n_own])
		n_own++;
	all = calloc(n_own + n + 1, sizeof *all);
	if (!all)
		return NULL;
	for (size_t i = 0; i < n_own; i++) {
		if (!is_set_in(environ[i], settings, n))
			all[n_all++] = environ[i];
	}
	for (size_t i = 0; i < n; i++)
		all[n_all++] = settings[i];
	return all;
}

void child_reap_orphans(void)
{
	siginfo_t ended;

	pthread_mutex_lock(&running_lock);
	for (;;) {
		ended.si_pid = 0;
		if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || ended.si_pid == 0 ||
		    is_running(ended.si_pid))
			break;
		(void)waitpid(ended.si_pid, NULL, WNOHANG);
	}
	pthread_mutex_unlock(&running_lock);
}
