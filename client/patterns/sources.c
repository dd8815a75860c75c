/* Taking from the first of several channels. The daemon chooses; here what is closed is left out, and what was cut
 * short asked again. */
#include "client/patterns/sources.h"

#include "client/machine/failure.h"
#include "client/net/clock.h"

enum { MAX_ARMS = 64, N_GUARDS = 2, PATIENCE_MIN_MS = 250, PATIENCE_MAX_MS = 16000 };

int64_t patterns_deadline_ms(int64_t timeout_ms)
{
	return timeout_ms == MR_FOREVER ? MR_FOREVER : clock_now_ms() + timeout_ms;
}

int64_t patterns_left_ms(int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - clock_now_ms();

	if (deadline_ms == MR_FOREVER)
		return MR_FOREVER;
	return left_ms < 0 ? 0 : left_ms;
}

int64_t patterns_patience_ms(int64_t last_ms)
{
	if (last_ms == 0)
		return PATIENCE_MIN_MS;
	return last_ms < PATIENCE_MAX_MS ? last_ms * 2 : PATIENCE_MAX_MS;
}

/* Arms for the guards, and for the channels that are open; *n_guards of the former. index[] says which channel an arm
 * is. */
static size_t make_arms(const struct sources *sources, struct mr_arm arms[MAX_ARMS], size_t index[MAX_ARMS],
			size_t *n_guards)
{
	size_t n = 0;

	for (size_t i = 0; i < N_GUARDS; i++) {
		if (sources->guards[i])
			arms[n++] = (struct mr_arm){.channel = sources->guards[i]};
	}
	*n_guards = n;
	for (size_t i = 0; i < sources->n; i++) {
		size_t at = (sources->first + i) % sources->n;

		if (!sources->channels[at])
			continue;
		index[n] = at;
		arms[n++] = (struct mr_arm){.channel = sources->channels[at]};
	}
	return n;
}

int patterns_take(mr *m, const struct sources *sources, int64_t timeout_ms, struct mr_choice *choice)
{
	int64_t deadline_ms = patterns_deadline_ms(timeout_ms), left_ms = timeout_ms;

	for (;;) {
		struct mr_arm arms[MAX_ARMS];
		size_t index[MAX_ARMS], n_guards, n = make_arms(sources, arms, index, &n_guards);
		int status;

		*choice = (struct mr_choice){.arm = 0};
		if (n == n_guards)
			return MR_CLOSED;
		status = mr_alts(m, arms, n, true, left_ms, choice);
		if ((status == MR_OK || status == MR_CLOSED) && choice->arm < n_guards) {
			mr_choice_finish(choice);
			return MR_CANCELLED;
		}
		if (status == MR_CLOSED)
			sources->channels[index[choice->arm]] = NULL;
		else if (status == MR_OK)
			choice->arm = index[choice->arm];
		if (status != MR_CLOSED && (status != MR_TIMEOUT || left_ms == 0))
			return status;
		left_ms = patterns_left_ms(deadline_ms);
	}
}

int patterns_find(mr *m, const char *channel)
{
	json_t *row;
	int status = mr_stat(m, channel, &row);

	if (status == MR_OK && json_is_true(json_object_get(row, "closed")))
		status = MR_CLOSED;
	json_decref(row);
	return status == MR_EDENIED ? MR_OK : status; /* who may put may not be allowed to look */
}

int mr_take_first(mr *m, const char **channels, size_t n, int64_t timeout_ms, struct mr_choice *choice)
{
	*choice = (struct mr_choice){.arm = 0};
	if (n < 1 || n > MAX_ARMS)
		return fail(MR_EARGUMENT, "a take is from 1 to %d channels", MAX_ARMS);
	return patterns_take(m, &(struct sources){.channels = channels, .n = n}, timeout_ms, choice);
}
