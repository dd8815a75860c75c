/* The latest state: a sliding channel of one keeps what is newest. Who puts never waits, and who takes never gets what
 * is out of date.
 *
 *   latest [URL]
 */
#include "example.h"

int main(int argc, char **argv)
{
	mr *m = example_connect(argc > 1 ? argv[1] : NULL);
	json_t *price, *row;

	example_channel(m, "example.price", "sliding", 1);
	example_put(m, "example.price", "101");
	example_put(m, "example.price", "99");
	example_put(m, "example.price", "104");

	MUST(mr_take(m, "example.price", &price, MR_FOREVER));
	example_print("the price is ", price);

	/* Taken is taken: until it changes there is nothing to take. Who only wants to look, with others, uses
	 * mr_peek(). */
	if (MUST(mr_poll(m, "example.price", &price)) == MR_TIMEOUT)
		printf("it has not changed since\n");

	MUST(mr_stat(m, "example.price", &row));
	printf("%d were out of date before anybody looked\n", (int)json_integer_value(json_object_get(row, "evicted")));
	json_decref(row);
	mr_destroy(m);
	return 0;
}
