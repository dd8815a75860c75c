/* What the daemon does not tell by itself is found out in two ways. The end of all sources closes the channel between,
 * and with it the target of a tap from there that is paused, so that it never gets a value: that target is waited for.
 * That all targets are closed, or that a source was deleted, which closes nothing, is seen by looking at the taps. */
#include "client/patterns/tapped.h"

#include <stdio.h>
#include <string.h>

#include "client/machine/events.h"
#include "client/machine/failure.h"
#include "client/patterns/sources.h"

enum {
	LOOK_MS = 500,           /* how often the taps are looked at */
	FINISH_MS = 20,          /* how often, when it was stopped, whether the last value has arrived */
	MAX_TAPS_OF_CHANNEL = 64 /* the daemon's limit */
};

struct run {
	const struct tapped *tapped;
	mr *m;
	char *between; /* the channel's name */
	char *gate;    /* of a merge: keeps `between` open until all sources are tapped; NULL: not needed, or shut */
	char *watch;   /* the target that is waited for */
};

/* How many taps there are into and out of `between`; the paused one is neither. */
struct view {
	size_t into, out_of;
};

static bool knows_taps(mr *m)
{
	json_t *hello = NULL;
	bool knows;

	if (mr_hello(m, &hello) != MR_OK)
		return false;
	knows = events_has_feature(hello, "taps");
	json_decref(hello);
	return knows;
}

static bool is_member(const json_t *row, const char *member, const char *name)
{
	const char *text = json_string_value(json_object_get(row, member));

	return text && strcmp(text, name) == 0;
}

static int look(const struct run *run, struct view *view)
{
	json_t *rows, *row;
	int status = mr_taps(run->m, run->between, &rows);
	size_t i;

	*view = (struct view){0};
	if (status != MR_OK)
		return status;
	json_array_foreach(rows, i, row)
	{
		view->into += is_member(row, "to", run->between);
		view->out_of += is_member(row, "from", run->between) && !is_member(row, "to", run->watch);
	}
	json_decref(rows);
	return MR_OK;
}

/* -- Beginning -- */

static int make_channel(struct run *run, char **name)
{
	return mr_create(run->m, NULL, &(struct mr_definition){.kind = "unbuffered", .ephemeral = true}, NULL, name);
}

static int tap_sources(const struct run *run)
{
	int status = MR_OK;

	for (size_t i = 0; i < run->tapped->n_from && status == MR_OK; i++)
		status = mr_tap(run->m, run->tapped->from[i], run->between, NULL, NULL, NULL);
	return status;
}

/* A target that is closed is left out. */
static int tap_targets(const struct run *run)
{
	static const struct mr_tap_options open = {.stays_open = true};
	int status = MR_OK;

	for (size_t i = 0; i < run->tapped->n_to && status >= 0; i++)
		status = mr_tap(run->m, run->between, run->tapped->to[i], &open, NULL, NULL);
	return status < 0 ? status : MR_OK;
}

/* Which is last sets it going: so a merge begins with a value of each source, and a mult with all its targets. */
static int tap_all(struct run *run)
{
	static const struct mr_tap_options watching = {.kind = "unbuffered", .state = "pause"};
	bool is_merge = run->tapped->n_to == 1;
	int status = make_channel(run, &run->between);

	if (status == MR_OK && is_merge)
		status = make_channel(run, &run->gate);
	if (status == MR_OK && is_merge)
		status = mr_tap(run->m, run->gate, run->between, NULL, NULL, NULL);
	if (status == MR_OK)
		status = mr_tap(run->m, run->between, NULL, &watching, NULL, &run->watch);
	if (status == MR_OK)
		status = is_merge ? tap_sources(run) : tap_targets(run);
	if (status == MR_OK)
		status = is_merge ? tap_targets(run) : tap_sources(run);
	return status;
}

/* Whether this user may look at all the channels, and so at their taps: MR_OK, or why not. */
static int may_look(const struct tapped *tapped)
{
	int status = MR_OK;

	for (size_t i = 0; i < tapped->n_from + tapped->n_to && status != MR_EDENIED; i++) {
		json_t *row;

		status =
			mr_stat(tapped->m, i < tapped->n_from ? tapped->from[i] : tapped->to[i - tapped->n_from], &row);
		json_decref(row);
	}
	return status;
}

static bool can_be_tapped(const struct tapped *tapped)
{
	if (tapped->n_to >= MAX_TAPS_OF_CHANNEL || !knows_taps(tapped->m))
		return false;
	for (size_t i = 0; i < tapped->n_to; i++) {
		for (size_t j = 0; j < i; j++)
			if (strcmp(tapped->to[i], tapped->to[j]) == 0)
				return false; /* there is one tap from a channel to another */
	}
	return may_look(tapped) == MR_OK;
}

/* Whether `stop` has said so before. */
static int look_for_stop(const struct tapped *tapped)
{
	struct mr_arm arm = {.channel = tapped->stop};
	struct mr_choice choice;
	int status = tapped->stop ? mr_alts(tapped->m, &arm, 1, true, 0, &choice) : MR_TIMEOUT;

	if (status == MR_OK && tapped->stop)
		mr_choice_finish(&choice);
	return status == MR_OK || status == MR_CLOSED ? MR_CANCELLED : status;
}

/* -- Ending -- */

/* Sources keep what has not been accepted between. */
static void untap_sources(const struct run *run)
{
	for (size_t i = 0; i < run->tapped->n_from; i++)
		(void)mr_untap(run->m, run->tapped->from[i], run->between);
}

/* What has been taken arrives, as long as there is anybody for it to arrive at. */
static int finish(const struct run *run)
{
	struct view view;
	bool has_value = true;
	int status = MR_OK;

	untap_sources(run);
	while (has_value && status == MR_OK) {
		const char *watch = run->watch;
		struct mr_choice none;
		json_t *row = NULL;

		status = mr_stat(run->m, run->between, &row);
		has_value = json_integer_value(json_object_get(row, "leased")) > 0;
		json_decref(row);
		if (status == MR_OK)
			status = look(run, &view);
		if (status != MR_OK || !has_value || view.out_of == 0)
			break;
		(void)patterns_take(run->m, &(struct sources){.channels = &watch, .n = 1}, FINISH_MS, &none);
	}
	return status;
}

static void tell_lost(const struct run *run)
{
	size_t len;
	char *json;

	while (mr_take_raw(run->m, run->between, &json, &len, 0) == MR_OK) {
		run->tapped->lost(run->tapped->context, json, len);
		mr_free(json);
	}
}

static bool is_cut(int status)
{
	return status == MR_ECONNECTION || status == MR_ECONNECT || status == MR_UNKNOWN;
}

/* All goes with its connection, if that is cut. */
static void tear_down(struct run *run, int status)
{
	char *const channels[] = {run->gate, run->between, run->watch};

	for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
		if (channels[i] && !is_cut(status))
			(void)mr_delete(run->m, channels[i], true, NULL);
		mr_free(channels[i]);
	}
}

/* -- Running -- */

/* What the taps tell. MR_TIMEOUT: it goes on. */
static int judge(const struct run *run, const struct view *view, bool *is_ending)
{
	bool was_ending = *is_ending;
	int status = MR_OK;

	if (view->into > 0 && view->out_of > 0)
		return MR_TIMEOUT;
	if (may_look(run->tapped) == MR_EDENIED)
		return MR_EDENIED;
	*is_ending = view->into == 0;
	if (view->out_of == 0 && (view->into > 0 || was_ending))
		return MR_CLOSED;
	if (view->into == 0)
		status = mr_close(run->m, run->between);
	return status == MR_OK ? MR_TIMEOUT : status;
}

static int wait_for_end(const struct run *run)
{
	const char *watch = run->watch;
	struct sources sources = {.guards = {run->tapped->stop}, .channels = &watch, .n = 1};
	bool is_ending = false; /* no source is left */
	struct mr_choice none;
	struct view view;
	int status;

	do {
		status = patterns_take(run->m, &sources, LOOK_MS, &none);
		if (status == MR_CLOSED)
			return MR_OK;
		if (status == MR_TIMEOUT && (status = look(run, &view)) == MR_OK)
			status = judge(run, &view, &is_ending);
	} while (status == MR_TIMEOUT);
	return status;
}

/* Until it ends, and what has been taken has arrived. */
static int carry(const struct run *run)
{
	int status = run->gate ? mr_close(run->m, run->gate) : MR_OK;

	if (status == MR_OK)
		status = wait_for_end(run);
	if (status == MR_CANCELLED || status == MR_CLOSED) {
		int finished = finish(run);

		status = finished == MR_OK ? status : finished;
	}
	return status;
}

int tapped_run(const struct tapped *tapped, bool *ran)
{
	struct run run = {.tapped = tapped, .m = tapped->m};
	char message[512];
	int status;

	*ran = false;
	if (!can_be_tapped(tapped))
		return MR_OK;
	status = look_for_stop(tapped);
	if (status != MR_TIMEOUT) {
		*ran = true;
		return status;
	}
	*ran = tap_all(&run) == MR_OK;
	status = *ran ? carry(&run) : MR_OK;
	snprintf(message, sizeof message, "%s", mr_message());
	if (status == MR_CANCELLED || status == MR_CLOSED)
		tell_lost(&run);
	tear_down(&run, status);
	return status < 0 ? fail(status, "%s", message) : status;
}
