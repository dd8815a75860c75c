/* The real daemon as a child process, for tests: started on free addresses, watched through its log, and stopped with a
 * look at how it ended.
 *
 *   struct daemon *d = daemon_start((const char *[]){"--set", "limits.max_inflight=8", NULL});
 *   ... connect to daemon_url(d) ...
 *   daemon_stop(d);
 *
 * It does not wait for values to be taken when it ends (limits.grace_ms is 0, unless an argument says otherwise).
 *
 * Nothing returns failure: what goes wrong fails the check test that runs. The child dies with the test, whatever
 * becomes of it. The program is $BUILD/millraced ("build" without BUILD). Nothing here sleeps: everything waits for an
 * event, at most DAEMON_DEADLINE_MS.
 */
#ifndef MILLRACE_TESTS_DAEMON_H
#define MILLRACE_TESTS_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { DAEMON_DEADLINE_MS = 30000 };

struct daemon;

/* Starts it with these arguments (NULL-terminated, or NULL) and waits until it is ready. Unless an argument is
 * --listen, it listens on a free port of 127.0.0.1 and on a Unix socket in a directory of its own; unless one is
 * --http, without HTTP. */
struct daemon *daemon_start(const char *const *args);
/* The same, with a limit on its descriptors. */
struct daemon *daemon_start_limited(const char *const *args, uint64_t nofile);

/* SIGTERM; it has to end in time, with 0 or, if values were left that nobody took, 3, and no sanitizer may have had
 * anything to say. Frees everything. */
void daemon_stop(struct daemon *daemon);
/* The same with another signal; 0: it has been asked to end already. */
void daemon_stop_by(struct daemon *daemon, int signal_number);
void daemon_signal(struct daemon *daemon, int signal_number);
/* SIGKILL, and it has ended. Frees everything. */
void daemon_kill(struct daemon *daemon);

/* Addresses as the line with "ready" told them; valid until daemon_stop(). The test fails where there is none. */
const char *daemon_url(const struct daemon *daemon);      /* tcp://127.0.0.1:40123 */
const char *daemon_tls_url(const struct daemon *daemon);  /* tls://127.0.0.1:40124 */
const char *daemon_unix_url(const struct daemon *daemon); /* unix:///tmp/x/m.sock */
const char *daemon_unix_path(const struct daemon *daemon);
uint16_t daemon_port(const struct daemon *daemon);
uint16_t daemon_http_port(const struct daemon *daemon);
pid_t daemon_pid(const struct daemon *daemon);

/* Waits until its log has this text, looked for behind what the last such wait found; so one call waits for one event.
 */
void daemon_log_wait(struct daemon *daemon, const char *text);
/* Whether the log has this text by now, anywhere. */
bool daemon_log_has(struct daemon *daemon, const char *text);

/* A run that is expected to end by itself. */
struct daemon_run {
	int exit_code;               /* 128 + n: it was killed by signal n */
	char out[16384], err[16384]; /* terminated; what is longer is cut off */
};

/* Runs it with exactly these arguments. */
void daemon_run(const char *const *args, struct daemon_run *run);

/* A directory for a test's files, below $TMPDIR or /tmp. directory_destroy() removes it with the plain files in it. */
char *directory_create(void);
void directory_destroy(char *directory);
/* Writes a file in it anew, and returns its path, which is the caller's to free. */
char *directory_write(const char *directory, const char *name, const char *text);

uint64_t test_now_ms(void); /* of a monotonic clock, for deadlines */

#endif
