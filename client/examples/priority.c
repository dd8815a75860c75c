/* A priority boundary: a worker that looks at its control channel before each piece of work, however much work there
 * is.
 *
 *   priority [URL]
 */
#include <string.h>

#include "example.h"

int main(int argc, char **argv)
{
	mr *m = example_connect(argc > 1 ? argv[1] : NULL);
	struct mr_arm arms[] = {{.channel = "example.control"}, {.channel = "example.work"}};
	struct mr_choice choice = {.arm = 0};
	bool is_verbose = true, is_running = true;

	example_channel(m, "example.control", "bounded", 4);
	example_channel(m, "example.work", "bounded", 10);
	for (int i = 1; i <= 9; i++) {
		json_t *work = json_integer(i);

		MUST(mr_put(m, "example.work", work, MR_FOREVER));
		json_decref(work);
	}

	/* `priority` is true: the arms are tried in this order. Without it the daemon picks at random, which is fair,
	 * and here wrong. */
	while (is_running && MUST(mr_alts(m, arms, 2, true, MR_FOREVER, &choice)) == MR_OK) {
		const char *order = choice.arm == 0 ? json_string_value(choice.value) : NULL;

		if (order) {
			printf("control: %s\n", order);
			is_verbose = is_verbose && strcmp(order, "quiet") != 0;
			is_running = strcmp(order, "stop") != 0;
		} else {
			json_int_t piece = json_integer_value(choice.value);

			if (is_verbose)
				printf("work %d\n", (int)piece);
			if (piece == 2) /* somebody gives orders, while 7 pieces wait */
				example_put(m, "example.control", "\"quiet\"");
			if (piece == 5)
				example_put(m, "example.control", "\"stop\"");
		}
		mr_choice_finish(&choice);
	}
	mr_choice_finish(&choice);

	json_t *left;
	MUST(mr_take_many(m, "example.work", 1000, &left, 0));
	example_print("not done, and still there for others: ", left);
	mr_destroy(m);
	return 0;
}
