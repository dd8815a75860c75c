#include "tests/lib/client_fixture.h"

#include <check.h>
#include <poll.h>

struct daemon *d;
mr *m;

void client_setup(void)
{
	d = daemon_start(NULL);
	m = client_connect(daemon_url(d));
	client_channel(m, "jobs", "bounded", 4);
	client_channel(m, "meet", "unbuffered", 0);
	client_channel(m, "drop", "dropping", 1);
	client_channel(m, "latest", "sliding", 1);
	client_channel(m, "answer", "promise", 0);
}

void client_teardown(void)
{
	mr_destroy(m);
	daemon_stop(d);
}

void assert_json(json_t *actual, const char *expected)
{
	json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);

	ck_assert_ptr_nonnull(wanted);
	ck_assert_msg(json_equal(actual, wanted), "not %s", expected);
	json_decref(wanted);
	json_decref(actual);
}

void poll_readable(mr *of)
{
	struct pollfd ready = {.fd = mr_fd(of), .events = POLLIN};

	ck_assert_int_eq(poll(&ready, 1, DAEMON_DEADLINE_MS), 1);
}
