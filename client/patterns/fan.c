/* merge, mult and split. merge and mult are the daemon's taps, where it has them (tapped.c). Else values are taken one
 * at a time, and handed on as they are, and the next is taken when that has arrived. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/patterns/sources.h"
#include "client/patterns/tapped.h"
#include "client/machine/failure.h"

struct debt { /* of a mult, to a tap */
	bool is_owed;
	mr_request *request;
};

struct fan {
	mr *m;
	const struct mr_flow *flow;
	const char **from; /* NULL: closed */
	size_t n_from;
	const char **to; /* NULL: a tap that is closed */
	size_t n_to;
	size_t (*choose)(void *context, const json_t *value);
	int (*deliver)(struct fan *fan, const struct mr_choice *taken);
	struct debt *debts; /* one for each of `to` */
	int status;         /* MR_OK, or the first that ended it; then its message */
	char message[512];
};

static int end(struct fan *fan, int status)
{
	if (fan->status == MR_OK) {
		fan->status = status;
		snprintf(fan->message, sizeof fan->message, "%s", mr_message());
	}
	return fan->status;
}

/* A value does not arrive. */
static int lose(struct fan *fan, const char *channel, const struct mr_choice *taken, int status)
{
	end(fan, status); /* before the callback, which may overwrite the message */
	if (fan->flow->lost)
		fan->flow->lost(fan->flow->context, channel, taken->raw, taken->raw_len, status);
	return fan->status;
}

/* -- where a value goes: to one -- */

static int deliver_to(struct fan *fan, const char *channel, const struct mr_choice *taken)
{
	int64_t patience_ms = 0;
	int status;

	do {
		patience_ms = patterns_patience_ms(patience_ms);
		status = mr_put_raw(fan->m, channel, taken->raw, taken->raw_len, patience_ms);
	} while (status == MR_TIMEOUT);
	if (status == MR_OK || status == MR_DROPPED) /* what a channel sheds is counted there */
		return MR_OK;
	return lose(fan, channel, taken, status);
}

static int deliver_merged(struct fan *fan, const struct mr_choice *taken)
{
	return deliver_to(fan, fan->to[0], taken);
}

static int deliver_chosen(struct fan *fan, const struct mr_choice *taken)
{
	size_t at;

	if (!taken->value && !fan->flow->lost)
		return end(fan, fail(MR_EJSON, "jansson cannot hold a value that is to be split"));
	if (!taken->value) {
		fan->flow->lost(fan->flow->context, fan->from[0], taken->raw, taken->raw_len, MR_EJSON);
		return MR_OK;
	}
	at = fan->choose(fan->flow->context, taken->value);
	return at < fan->n_to ? deliver_to(fan, fan->to[at], taken) : MR_OK;
}

/* -- to all -- */

/* What became of the put to a tap. The debt is paid, or void, unless the put was cut short. */
static void settle(struct fan *fan, size_t i, const struct mr_choice *taken, int status)
{
	fan->debts[i].is_owed = status == MR_TIMEOUT;
	if (status == MR_CLOSED || status == MR_ENO_SUCH_CHANNEL)
		fan->to[i] = NULL;
	else if (status < 0)
		lose(fan, fan->to[i], taken, status);
}

/* Puts to every tap that is owed the value, at the same time. Whether one is owed it still. */
static bool pay(struct fan *fan, const struct mr_choice *taken, int64_t patience_ms)
{
	bool is_owed = false;

	for (size_t i = 0; i < fan->n_to; i++) {
		struct debt *debt = &fan->debts[i];
		int status = MR_OK;

		if (debt->is_owed)
			status = mr_begin_put(fan->m, &debt->request, fan->to[i], taken->raw, taken->raw_len,
					      patience_ms);
		if (status != MR_OK)
			settle(fan, i, taken, status);
	}
	for (size_t i = 0; i < fan->n_to; i++) {
		struct debt *debt = &fan->debts[i];

		if (debt->request)
			settle(fan, i, taken, mr_wait(fan->m, debt->request, NULL));
		debt->request = NULL;
		is_owed = is_owed || debt->is_owed;
	}
	return is_owed;
}

static int deliver_to_all(struct fan *fan, const struct mr_choice *taken)
{
	int64_t patience_ms = patterns_patience_ms(0);
	bool is_open = false;

	for (size_t i = 0; i < fan->n_to; i++)
		fan->debts[i].is_owed = fan->to[i] != NULL;
	while (pay(fan, taken, patience_ms))
		patience_ms = patterns_patience_ms(patience_ms);
	for (size_t i = 0; i < fan->n_to; i++)
		is_open = is_open || fan->to[i];
	return is_open ? fan->status : lose(fan, fan->from[0], taken, MR_CLOSED);
}

/* -- all of it -- */

/* A source that was there, and is deleted, is one that has ended. Whether there is such a one. */
static bool leave_out_deleted(struct fan *fan)
{
	bool found = false;

	for (size_t i = 0; i < fan->n_from; i++) {
		if (!fan->from[i] || patterns_find(fan->m, fan->from[i]) != MR_ENO_SUCH_CHANNEL)
			continue;
		fan->from[i] = NULL;
		found = true;
	}
	return found;
}

/* Takes and delivers until something ends it: MR_OK if that is the end of all sources. */
static int carry(struct fan *fan)
{
	bool has_begun = false;
	struct sources sources = {.guards = {fan->flow->stop}, .channels = fan->from, .n = fan->n_from};
	struct mr_choice taken;
	int status;

	do {
		status = patterns_take(fan->m, &sources, MR_FOREVER, &taken);
		if (status == MR_ENO_SUCH_CHANNEL && has_begun && leave_out_deleted(fan)) {
			status = MR_OK;
			continue;
		}
		if (status != MR_OK)
			break;
		has_begun = true;
		sources.first = (taken.arm + 1) % sources.n;
		status = fan->deliver(fan, &taken);
		mr_choice_finish(&taken);
	} while (status == MR_OK);
	return status == MR_CLOSED && fan->status == MR_OK ? MR_OK : status;
}

static void tell_lost(void *context, const char *json, size_t len)
{
	const struct fan *fan = context;

	if (fan->flow->lost)
		fan->flow->lost(fan->flow->context, fan->from[0], json, len, MR_CLOSED);
}

/* By the daemon's taps, if it has them, and a value goes where they carry it. */
static int carry_by_taps(struct fan *fan, bool *ran)
{
	const struct tapped tapped = {.m = fan->m,
				      .from = fan->from,
				      .n_from = fan->n_from,
				      .to = fan->to,
				      .n_to = fan->n_to,
				      .stop = fan->flow->stop,
				      .lost = tell_lost,
				      .context = fan};

	*ran = false;
	return fan->choose ? MR_OK : tapped_run(&tapped, ran);
}

static void run(struct fan *fan)
{
	bool ran;
	int status = carry_by_taps(fan, &ran);

	if (!ran)
		status = carry(fan);
	if (status != MR_OK || fan->status != MR_OK) {
		end(fan, status);
		return;
	}
	for (size_t i = 0; i < fan->n_to && !fan->flow->keep_open; i++) {
		status = fan->to[i] ? mr_close(fan->m, fan->to[i]) : MR_OK;
		if (status != MR_OK && status != MR_ENO_SUCH_CHANNEL)
			end(fan, status);
	}
}

/* Nothing is taken if a channel is not there, or if nobody is left to be put to. */
static int check(struct fan *fan)
{
	bool is_open = fan->choose != NULL; /* a split may never choose the one that is closed */

	for (size_t i = 0; i < fan->n_from; i++) {
		if (!fan->from[i])
			return fail(MR_EARGUMENT, "a channel to take from is NULL");
	}
	for (size_t i = 0; i < fan->n_to; i++) {
		int status = patterns_find(fan->m, fan->to[i]);

		if (status < 0)
			return status;
		is_open = is_open || status == MR_OK;
	}
	return is_open ? MR_OK : MR_CLOSED;
}

static const char **copy(const char *const *names, size_t n)
{
	const char **copied = malloc(n * sizeof(*copied));

	if (copied)
		memcpy(copied, names, n * sizeof(*copied));
	return copied;
}

static int fan_out(struct fan *fan, const char *const *from, size_t n_from, const char *const *to, size_t n_to)
{
	static const struct mr_flow plain;
	int status;

	if (n_from < 1 || n_from > MR_MAX_SOURCES)
		return fail(MR_EARGUMENT, "a merge is of 1 to %d channels", MR_MAX_SOURCES);
	if (n_to < 1 || n_to > MR_MAX_WORKERS)
		return fail(MR_EARGUMENT, "a fan-out is to 1 to %d channels", MR_MAX_WORKERS);
	fan->flow = fan->flow ? fan->flow : &plain;
	fan->from = copy(from, fan->n_from = n_from);
	fan->to = copy(to, fan->n_to = n_to);
	fan->debts = calloc(n_to, sizeof(*fan->debts));
	if (!fan->from || !fan->to || !fan->debts)
		status = fail(MR_EMEMORY, "not enough memory for %zu channels", n_from + n_to);
	else
		status = check(fan);
	if (status == MR_OK) {
		run(fan);
		status = fan->status < 0 ? fail(fan->status, "%s", fan->message) : fan->status;
	}
	free(fan->debts);
	free(fan->to);
	free(fan->from);
	return status;
}

int mr_merge(mr *m, const char *const *from, size_t n, const char *to, const struct mr_flow *flow)
{
	return fan_out(&(struct fan){.m = m, .flow = flow, .deliver = deliver_merged}, from, n, &to, 1);
}

int mr_mult(mr *m, const char *from, const char *const *taps, size_t n, const struct mr_flow *flow)
{
	return fan_out(&(struct fan){.m = m, .flow = flow, .deliver = deliver_to_all}, &from, 1, taps, n);
}

int mr_split(mr *m, const char *from, size_t (*choose)(void *context, const json_t *value), const char *const *to,
	     size_t n, const struct mr_flow *flow)
{
	if (!choose)
		return fail(MR_EARGUMENT, "a split needs `choose`");
	return fan_out(&(struct fan){.m = m, .flow = flow, .choose = choose, .deliver = deliver_chosen}, &from, 1, to,
		       n);
}
