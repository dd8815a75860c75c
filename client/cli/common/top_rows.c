#include "client/cli/common/top_rows.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
	[TOP_DEPTH] = "depth", [TOP_RATE] = "rate", [TOP_SHED] = "shed", [TOP_OLDEST] = "oldest", [TOP_NAME] = "name",
};

const char *top_order_name(enum top_order order)
{
	return names[order];
}

enum top_order top_order_find(const char *name)
{
	int order = 0;

	while (order < N_TOP_ORDERS && strcmp(names[order], name) != 0)
		order++;
	return (enum top_order)order;
}

static double number(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

static const char *name_of(const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "channel"));

	return name ? name : "";
}

static double shed_of(const json_t *row)
{
	return number(row, "dropped") + number(row, "evicted");
}

/* A tenth is exact enough, and short. A counter that fell is of a channel that is new under its name. */
static json_t *rate(double now, double before, double seconds)
{
	return json_real(seconds > 0 && now > before ? (double)(int64_t)((now - before) / seconds * 10 + 0.5) / 10 : 0);
}

static int update(json_t *row, const json_t *before, double seconds)
{
	double put = number(row, "oldest_put_ms"), take = number(row, "oldest_take_ms");
	bool waits = json_object_get(row, "oldest_put_ms") || json_object_get(row, "oldest_take_ms");
	int failed =
		json_object_set_new(row, "in_rate",
				    rate(number(row, "accepted"), number(before, "accepted"), before ? seconds : 0)) |
		json_object_set_new(row, "out_rate",
				    rate(number(row, "taken"), number(before, "taken"), before ? seconds : 0)) |
		json_object_set_new(row, "shed_rate", rate(shed_of(row), shed_of(before), before ? seconds : 0)) |
		json_object_set_new(row, "shed", json_integer((json_int_t)shed_of(row)));

	if (waits)
		failed |= json_object_set_new(row, "oldest_ms", json_integer((json_int_t)(put > take ? put : take)));
	return failed ? -1 : 0;
}

int top_rows_update(struct top_rows *last, json_t *rows, int64_t now_us)
{
	double seconds = (double)(now_us - last->at_us) / 1e6;
	json_t *kept, *row;
	size_t i, j = 0;

	json_array_foreach(rows, i, row)
	{
		/* Both are in order of name. */
		while (j < json_array_size(last->rows) &&
		       strcmp(name_of(json_array_get(last->rows, j)), name_of(row)) < 0)
			j++;
		json_t *before = json_array_get(last->rows, j);
		if (update(row, before && strcmp(name_of(before), name_of(row)) == 0 ? before : NULL, seconds) < 0)
			return -1;
	}
	kept = json_copy(rows);
	if (!kept)
		return -1;
	json_decref(last->rows);
	last->rows = kept;
	last->at_us = now_us;
	return 0;
}

void top_rows_finish(struct top_rows *last)
{
	json_decref(last->rows);
}

struct ranked {
	json_t *row;
	double rank;
};

static double rank_of(const json_t *row, enum top_order order)
{
	switch (order) {
	case TOP_DEPTH:
		return number(row, "buffered");
	case TOP_RATE:
		return number(row, "in_rate") + number(row, "out_rate");
	case TOP_SHED:
		return number(row, "shed_rate") * 1e9 + number(row, "shed");
	case TOP_OLDEST:
		return json_object_get(row, "oldest_ms") ? number(row, "oldest_ms") : -1;
	case TOP_NAME:
	case N_TOP_ORDERS:
		break;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct ranked *one = a, *other = b;

	if (one->rank != other->rank)
		return one->rank > other->rank ? -1 : 1;
	return strcmp(name_of(one->row), name_of(other->row));
}

int top_rows_sort(json_t *rows, enum top_order order)
{
	size_t n = json_array_size(rows);
	struct ranked *ranked = calloc(n ? n : 1, sizeof *ranked);

	if (!ranked)
		return -1;
	for (size_t i = 0; i < n; i++) {
		json_t *row = json_incref(json_array_get(rows, i));
		ranked[i] = (struct ranked){row, rank_of(row, order)};
	}
	qsort(ranked, n, sizeof *ranked, compare);
	for (size_t i = 0; i < n; i++)
		json_array_set_new(rows, i, ranked[i].row);
	free(ranked);
	return 0;
}
