#include "tests/lib/patterns_fixture.h"

#include <stdio.h>
#include <string.h>

mr *eye;
char patterns_message[512];
char patterns_told[4096];
static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;

void channel(const char *name, const char *kind, uint64_t capacity)
{
	client_channel(eye, name, kind, capacity);
}

static void setup_with(const char *const *daemon_args)
{
	d = daemon_start(daemon_args);
	m = client_connect(daemon_unix_url(d));
	eye = client_connect(daemon_unix_url(d));
	channel("in", "bounded", 100);
	channel("out", "bounded", 100);
	channel("other", "bounded", 100);
	channel("meet", "unbuffered", 0);
	channel("stop", "promise", 0);
}

void patterns_setup(void)
{
	setup_with(NULL);
}

void patterns_setup_without_taps(void)
{
	setup_with((const char *[]){"--set", "limits.max_taps=1", NULL});
}

void patterns_setup_impatient(void)
{
	setup_with((const char *[]){"--set", "limits.max_park_ms=1", "--set", "limits.max_taps=1", NULL});
}

void patterns_teardown(void)
{
	json_t *rows;

	IS(MR_OK, mr_list(eye, "_r.*", &rows));
	ck_assert_uint_eq(json_array_size(rows), 0);
	json_decref(rows);
	IS(MR_OK, mr_taps(eye, NULL, &rows));
	ck_assert_uint_eq(json_array_size(rows), 0);
	json_decref(rows);
	mr_destroy(m);
	mr_destroy(eye);
	daemon_stop(d);
}

void patterns_teardown_killed(void)
{
	mr_destroy(m);
	mr_destroy(eye);
}

void put(const char *name, const char *json)
{
	client_put(eye, name, json);
}

void put_numbers(const char *name, int first, int last)
{
	for (int i = first; i <= last; i++) {
		char text[16];

		snprintf(text, sizeof text, "%d", i);
		put(name, text);
	}
}

void expect_values(const char *name, const char *expected)
{
	char *text = NULL;
	int status = mr_take_many_raw(eye, name, 1000, &text, NULL, 0);

	if (status != MR_CLOSED && status != MR_TIMEOUT)
		IS(MR_OK, status);
	ck_assert_str_eq(text ? text : "[]", expected);
	mr_free(text);
}

json_int_t stat_of(const char *name, const char *member)
{
	return client_stat(eye, name, member);
}

bool is_closed(const char *name)
{
	json_t *row, *found;
	bool closed;

	IS(MR_OK, mr_stat(eye, name, &row));
	found = json_object_get(row, "closed");
	ck_assert(json_is_boolean(found));
	closed = json_is_true(found);
	json_decref(row);
	return closed;
}

void await_stat(const char *name, const char *member, json_int_t value)
{
	client_stat_wait(eye, name, member, value);
}

void await_waiters(json_int_t n)
{
	for (json_int_t seq = -1, first = -1; first < 0 || seq < first + n;) {
		json_t *rows;

		IS(MR_OK, mr_waiters(eye, NULL, &rows));
		if (json_array_size(rows))
			seq = json_integer_value(json_object_get(json_array_get(rows, 0), "seq"));
		first = first < 0 ? seq : first;
		json_decref(rows);
	}
}

static void *run_it(void *argument)
{
	struct running *running = argument;

	running->status = running->run(running->context);
	snprintf(running->message, sizeof running->message, "%s", mr_message());
	return NULL;
}

void running_start(struct running *running, int (*run)(void *context), void *context)
{
	*running = (struct running){.run = run, .context = context};
	ck_assert_int_eq(pthread_create(&running->thread, NULL, run_it, running), 0);
}

int running_join(struct running *running)
{
	pthread_join(running->thread, NULL);
	snprintf(patterns_message, sizeof patterns_message, "%s", running->message);
	return running->status;
}

void patterns_tell(const char *json, size_t len, int status)
{
	size_t end;

	pthread_mutex_lock(&telling);
	end = strlen(patterns_told);
	snprintf(patterns_told + end, sizeof patterns_told - end, "%.*s %s\n", (int)len, json, mr_status_name(status));
	pthread_mutex_unlock(&telling);
}

static void lost(void *context, const char *name, const char *json, size_t len, int status)
{
	(void)context;
	ck_assert_ptr_nonnull(name);
	patterns_tell(json, len, status);
	/* A callback may use the handle; if that fails, the words of the first error must stay. */
	(void)mr_ping(m, 1000);
}

const struct mr_flow patterns_telling = {.lost = lost}, patterns_stoppable = {.lost = lost, .stop = "stop"},
		     patterns_keeping = {.keep_open = true};

void expect_end_when_all_are_closed(int (*run)(void *flow), const char *const *targets, size_t n_targets,
				    const char *told_then, const char *left)
{
	struct running running;

	running_start(&running, run, (void *)&patterns_telling);
	await_stat("in", "parked_takes", 1);
	for (size_t i = 0; i < n_targets; i++)
		IS(MR_OK, mr_close(eye, targets[i]));
	put_numbers("in", 1, 2);
	IS(MR_CLOSED, running_join(&running));
	ck_assert_str_eq(patterns_told, told_then);
	IS(MR_CLOSED, run((void *)&patterns_telling));
	ck_assert_str_eq(patterns_told, told_then);
	expect_values("in", left);
}

void take_at_last(const char *name, const char *expected)
{
	char *json;
	int status;

	while ((status = mr_take_raw(eye, name, &json, NULL, MR_FOREVER)) == MR_TIMEOUT)
		;
	IS(MR_OK, status);
	ck_assert_str_eq(json, expected);
	mr_free(json);
}
