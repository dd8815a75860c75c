#include "tests/sim/cluster_witness.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void cluster_witness_fail(struct cluster_witness *witness, const char *format, ...)
{
	va_list arguments;
	if (witness->why[0])
		return;
	va_start(arguments, format);
	vsnprintf(witness->why, sizeof(witness->why), format, arguments);
	va_end(arguments);
}

static bool has_id(const uint64_t *ids, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

void cluster_witness_check(struct cluster_witness *witness, unsigned group, const uint64_t *ids, size_t n,
			   uint64_t before_us, const char *where)
{
	for (uint64_t id = 1; id <= witness->n_ids; id++) {
		const struct cluster_facts *facts = &witness->facts[id];
		if (facts->group != group)
			continue;
		if (facts->told_put_us && facts->told_put_us < before_us && !facts->was_taken && !has_id(ids, n, id))
			cluster_witness_fail(witness,
					     "value %" PRIu64 " of %s was put, answered, and is not there (%s)", id,
					     cluster_group_names[group], where);
		if (facts->told_taken_us && facts->told_taken_us < before_us && has_id(ids, n, id))
			cluster_witness_fail(witness, "value %" PRIu64 " of %s was given, and is there (%s)", id,
					     cluster_group_names[group], where);
	}
}

static void on_recovered(void *arg, unsigned group, uint64_t epoch, const struct queue *queue)
{
	struct cluster_witness *witness = arg;
	struct cluster_lineage *lineage = &witness->lineages[group];
	uint64_t sum = queue_sum(queue);
	size_t i = 0;
	if (epoch < lineage->epoch)
		return; /* another has taken it over meanwhile: this daemon is about to hear of it */
	while (i < lineage->n && lineage->states[i].sum != sum)
		i++;
	if (epoch == lineage->epoch && lineage->n)
		cluster_witness_fail(witness, "%s was recovered twice in epoch %" PRIu64, cluster_group_names[group],
				     epoch);
	else if (lineage->n && i == lineage->n)
		cluster_witness_fail(witness, "%s was recovered in a state that was not, or no more, in epoch %" PRIu64,
				     cluster_group_names[group], epoch);
	cluster_witness_check(witness, group, queue->ids, queue->n, UINT64_MAX, "recovered");
	witness->seen->between += i > 0 && i + 1 < lineage->n;
	witness->seen->recoveries++;
	lineage->epoch = epoch;
	lineage->states[0] = (struct cluster_state){0, sum};
	lineage->n = 1;
}

static void on_state(void *arg, unsigned group, uint64_t epoch, uint64_t batch, uint64_t sum)
{
	struct cluster_witness *witness = arg;
	struct cluster_lineage *lineage = &witness->lineages[group];
	if (epoch != lineage->epoch)
		return; /* a stale owner goes on, without being heard */
	if (lineage->n && lineage->states[lineage->n - 1].batch == batch && batch)
		lineage->n--;
	if (lineage->n == STATES) {
		cluster_witness_fail(witness, "too many states of %s are not committed", cluster_group_names[group]);
		return;
	}
	lineage->states[lineage->n++] = (struct cluster_state){batch, sum};
}

static void on_committed(void *arg, unsigned group, uint64_t epoch, uint64_t batch)
{
	struct cluster_lineage *lineage = &((struct cluster_witness *)arg)->lineages[group];
	size_t first = 0;
	if (epoch != lineage->epoch)
		return;
	while (first + 1 < lineage->n && lineage->states[first + 1].batch <= batch)
		first++;
	lineage->n -= first;
	memmove(lineage->states, &lineage->states[first], lineage->n * sizeof(lineage->states[0]));
}

static void on_reply(void *arg, const struct cluster_reply *reply)
{
	struct cluster_witness *witness = arg;
	struct cluster_facts *facts = &witness->facts[reply->id];
	switch (reply->kind) {
	case REPLY_PUT:
		facts->told_put_us = witness->now_us;
		witness->seen->told_puts++;
		break;
	case REPLY_TAKE:
		if (facts->told_taken_us)
			cluster_witness_fail(witness, "value %" PRIu64 " was given twice", reply->id);
		facts->told_taken_us = witness->now_us;
		witness->seen->told_takes++;
		break;
	case REPLY_LOOK:
		cluster_witness_check(witness, reply->group, reply->shown, reply->n_shown, reply->asked_us, "shown");
		witness->seen->told_looks++;
		break;
	}
}

static void on_failure(void *arg, const char *why)
{
	cluster_witness_fail(arg, "%s", why);
}

void cluster_witness_init(struct cluster_witness *witness, struct cluster_witnessed *seen)
{
	*witness = (struct cluster_witness){
		.observer = {on_recovered, on_state, on_committed, on_reply, on_failure, witness}, .seen = seen};
}

uint64_t cluster_witness_next_id(const struct cluster_witness *witness)
{
	return witness->n_ids + 1 < IDS ? witness->n_ids + 1 : 0;
}

void cluster_witness_put(struct cluster_witness *witness, unsigned group)
{
	witness->facts[++witness->n_ids] = (struct cluster_facts){.group = (uint8_t)group};
}

void cluster_witness_taken(struct cluster_witness *witness, uint64_t id)
{
	witness->facts[id].was_taken = true;
}
