/* Fan-in: the values of several channels in one, core.async's merge.
 *
 *   fan_in [URL]
 */
#include <millrace_patterns.h>

#include "example.h"

int main(int argc, char **argv)
{
	static const char *const sensors[] = {"example.north", "example.south", "example.west"};
	mr *m = example_connect(argc > 1 ? argv[1] : NULL);
	json_t *reading;

	for (size_t i = 0; i < 3; i++)
		example_channel(m, sensors[i], "bounded", 10);
	example_channel(m, "example.all", "bounded", 10);
	example_put(m, "example.north", "\"north 1\"");
	example_put(m, "example.north", "\"north 2\"");
	example_put(m, "example.north", "\"north 3\"");
	example_put(m, "example.south", "\"south 1\"");
	for (size_t i = 0; i < 3; i++)
		MUST(mr_close(m, sensors[i])); /* west has had nothing to say */

	/* Runs until all three are closed and empty, and then closes example.all. Those that have something take turns,
	 * so that a busy one does not hold up the others. Where the sources are known to all who put, they may as well
	 * put to one channel: then there is nothing to merge. */
	MUST(mr_merge(m, sensors, 3, "example.all", NULL));

	while (MUST(mr_take(m, "example.all", &reading, MR_FOREVER)) == MR_OK)
		example_print("", reading);
	mr_destroy(m);
	return 0;
}
