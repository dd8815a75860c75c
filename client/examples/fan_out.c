/* Fan-out, three ways: each value to one of several takers; a copy to every tap (core.async's mult); each where it
 * belongs (split).
 *
 *   fan_out [URL]
 */
#include <millrace_patterns.h>

#include "example.h"

static void fill(mr *m, const char *channel)
{
	example_channel(m, channel, "bounded", 10);
	for (int i = 1; i <= 6; i++) {
		json_t *value = json_integer(i);

		MUST(mr_put(m, channel, value, MR_FOREVER));
		json_decref(value);
	}
	MUST(mr_close(m, channel));
}

/* Everything in a channel, in one line. */
static void print(mr *m, const char *channel)
{
	json_t *values;

	if (MUST(mr_take_many(m, channel, 1000, &values, MR_FOREVER)) != MR_OK)
		return;
	printf("  %s ", channel);
	example_print("", values);
}

static size_t by_remainder(void *context, const json_t *value)
{
	(void)context;
	return (size_t)json_integer_value(value) %
	       3; /* of two channels; 2 is none of them: such a value is wanted nowhere */
}

int main(int argc, char **argv)
{
	static const char *const taps[] = {"example.log", "example.newest"}, *const parts[] = {"example.zero",
											       "example.one"};
	mr *m = example_connect(argc > 1 ? argv[1] : NULL);

	printf("to one of two:\n"); /* no function is needed: those who take from one channel share what is in it */
	fill(m, "example.shared");
	for (int i = 0; i < 6; i++) {
		json_t *value;

		MUST(mr_take(m, "example.shared", &value, MR_FOREVER)); /* each in a process of its own, usually */
		example_print(i % 2 ? "  bob " : "  ann ", value);
	}

	printf("to all:\n"); /* the next value goes out when every tap has this one: a tap that may not wait drops or
				slides */
	fill(m, "example.source");
	example_channel(m, taps[0], "bounded", 10);
	example_channel(m, taps[1], "sliding", 1);
	MUST(mr_mult(m, "example.source", taps, 2, NULL));
	print(m, taps[0]);
	print(m, taps[1]);

	printf("to its own:\n");
	fill(m, "example.mixed");
	example_channel(m, parts[0], "bounded", 10);
	example_channel(m, parts[1], "bounded", 10);
	MUST(mr_split(m, "example.mixed", by_remainder, parts, 2, NULL));
	print(m, parts[0]);
	print(m, parts[1]);
	mr_destroy(m);
	return 0;
}
