#include "tests/lib/etcd_fixture.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

enum { DEADLINE_US = 60000000, TOLD_ROWS = 20, ROW_BYTES = 24 };

struct loop *loop;
struct engine *engine;
int me;
struct told told;
unsigned n_hints;

static void copy(char *to, size_t cap, const char *front, struct slice slice)
{
	snprintf(to, cap, "%s%.*s", front, (int)slice.len, slice.len ? slice.bytes : "");
}

void tell(void *arg, const struct engine_answer *answer)
{
	struct told *to = arg ? arg : &told;
	unsigned n = to->n + 1;
	*to = (struct told){.n = n, .answer = *answer};
	copy(to->message, sizeof(to->message), answer->message ? answer->message : "", SLICE(""));
	copy(to->version, sizeof(to->version), "", answer->version);
	for (size_t i = 0; i < answer->n_rows && i < TOLD_ROWS; i++) {
		copy(strchr(to->keys, 0), ROW_BYTES, " ", answer->rows[i].key);
		copy(strchr(to->values, 0), ROW_BYTES, " ", answer->rows[i].value);
	}
	if (answer->n_rows > 0) {
		const struct engine_row *row = &answer->rows[answer->n_rows - 1];
		copy(to->key, sizeof(to->key), "", row->key);
		copy(to->value, sizeof(to->value), "", row->value);
	}
}

void on_hint(void *arg)
{
	(void)arg;
	n_hints++;
}

static struct awaited {
	const unsigned *counter;
	unsigned at_least;
} awaited;

static void stop_if_there(void *arg)
{
	(void)arg;
	if (*awaited.counter >= awaited.at_least)
		loop_stop(loop);
}

static void on_late(void *arg)
{
	(void)arg;
	ck_abort_msg("what was awaited did not come");
}

void run_until(const unsigned *counter, unsigned at_least)
{
	struct loop_timer *late = loop_timer_create(loop, on_late, NULL);
	awaited = (struct awaited){counter, at_least};
	loop_timer_set(late, loop_clock_us() + DEADLINE_US);
	ck_assert_int_eq(loop_run(loop, stop_if_there, NULL), 0);
	loop_timer_destroy(late);
}

enum engine_result run(void)
{
	run_until(&told.n, told.n + 1);
	return told.answer.result;
}

struct engine *engine_make(const struct etcd_settings *settings)
{
	char error[ETCD_ERROR_BYTES] = "";
	struct engine *made = etcd_create(loop, settings, error);
	ck_assert_msg(made != NULL, "%s", error);
	return made;
}
