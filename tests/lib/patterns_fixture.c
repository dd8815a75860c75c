#include "tests/lib/patterns_fixture.h"

#include <stdio.h>
#include <string.h>

struct daemon *d;
mr *m, *eye;
char patterns_words[512];
char told[4096];
static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;

/* A daemon that a test has killed is not stopped in order: the thread that reads its log stays as it is. The thread
 * sanitizer asks this for its options. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "report_thread_leaks=0";
}

void expect_status(int status, int expected, const char *call)
{
	ck_assert_msg(status == expected, "%s: %s (%d: %s), not %s", call, mr_status_name(status), status,
		      status < 0 ? mr_message() : "", mr_status_name(expected));
}

void expect_fails(int status, int expected, const char *needle, const char *call)
{
	expect_status(status, expected, call);
	ck_assert_msg(strstr(mr_message(), needle), "%s: \"%s\" lacks \"%s\"", call, mr_message(), needle);
}

void channel(const char *name, const char *kind, uint64_t capacity)
{
	IS(MR_OK, mr_create(eye, name, &(struct mr_definition){.kind = kind, .capacity = capacity}, NULL, NULL));
}

static void setup_with(const char *const *daemon_args)
{
	d = daemon_start(daemon_args);
	IS(MR_OK, mr_connect(&m, daemon_unix_url(d), NULL));
	IS(MR_OK, mr_connect(&eye, daemon_unix_url(d), NULL));
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
	IS(MR_OK, mr_put_raw(eye, name, json, strlen(json), MR_FOREVER));
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

static json_t *stat_member(const char *name, const char *member)
{
	json_t *row, *found;

	IS(MR_OK, mr_stat(eye, name, &row));
	found = json_incref(json_object_get(row, member));
	ck_assert_ptr_nonnull(found);
	json_decref(row);
	return found;
}

json_int_t stat_of(const char *name, const char *member)
{
	json_t *found = stat_member(name, member);
	json_int_t value = json_integer_value(found);

	json_decref(found);
	return value;
}

bool is_closed(const char *name)
{
	json_t *found = stat_member(name, "closed");
	bool closed = json_is_true(found);

	json_decref(found);
	return closed;
}

void await_stat(const char *name, const char *member, json_int_t value)
{
	uint64_t deadline_ms = test_now_ms() + DAEMON_DEADLINE_MS;

	while (stat_of(name, member) != value)
		ck_assert_msg(test_now_ms() < deadline_ms, "%s of %s is not %d", member, name, (int)value);
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
	snprintf(running->words, sizeof running->words, "%s", mr_message());
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
	snprintf(patterns_words, sizeof patterns_words, "%s", running->words);
	return running->status;
}

void tell(const char *json, size_t len, int status)
{
	size_t end;

	pthread_mutex_lock(&telling);
	end = strlen(told);
	snprintf(told + end, sizeof told - end, "%.*s %s\n", (int)len, json, mr_status_name(status));
	pthread_mutex_unlock(&telling);
}
