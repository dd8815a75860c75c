/* Telemetry that never holds up the work: a dropping channel takes what it has room for, and sheds the rest at once,
 * and counts it.
 *
 *   telemetry [URL]
 */
#include "example.h"

int main(int argc, char **argv)
{
	mr *m = example_connect(argc > 1 ? argv[1] : NULL);
	int accepted = 0, dropped = 0;
	json_t *row, *batch;

	example_channel(m, "example.telemetry", "dropping", 100);
	for (int i = 0; i < 250; i++) {
		json_t *reading = json_pack("{s:i, s:f}", "n", i, "load", i / 250.0);

		/* The time-out is of no use here: a put to a dropping channel never waits. A program that can do
		 * nothing about it need not look at the status; the channel counts. */
		if (MUST(mr_put(m, "example.telemetry", reading, MR_FOREVER)) == MR_DROPPED)
			dropped++;
		else
			accepted++;
		json_decref(reading);
	}
	printf("accepted %d, dropped %d\n", accepted, dropped);

	MUST(mr_stat(m, "example.telemetry", &row));
	printf("the channel says dropped %d\n", (int)json_integer_value(json_object_get(row, "dropped")));
	json_decref(row);

	/* The collector, which is elsewhere and takes many at a time. */
	MUST(mr_take_many(m, "example.telemetry", 1000, &batch, MR_FOREVER));
	printf("collected %d, the first of them ", (int)json_array_size(batch));
	example_print("", json_incref(json_array_get(batch, 0)));
	json_decref(batch);
	mr_destroy(m);
	return 0;
}
