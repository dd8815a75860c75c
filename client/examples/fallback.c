/* A data source with others to fall back on: the best one that has something, and none that has ended.
 *
 *   fallback [URL]
 */
#include <millrace_patterns.h>

#include "example.h"

/* The sources, the best first. One that is closed is set to NULL by mr_take_first(), which leaves it out from then on.
 */
static const char *sources[] = {"example.primary", "example.mirror", "example.archive"};
enum { N = sizeof sources / sizeof *sources };

/* The first gets a moment of its own; then whichever is there first will do. */
static int take_best(mr *m, struct mr_choice *choice)
{
	int status = MUST(mr_take_first(m, sources, 1, 20, choice));

	if (status == MR_OK)
		return status;
	return MUST(mr_take_first(m, sources, N, 10000, choice));
}

int main(int argc, char **argv)
{
	mr *m = example_connect(argc > 1 ? argv[1] : NULL);
	static const char *const names[] = {"primary", "mirror", "archive"};
	struct mr_choice choice;

	for (size_t i = 0; i < N; i++)
		example_channel(m, sources[i], "bounded", 4);
	example_put(m, "example.archive", "\"old\"");
	example_put(m, "example.mirror", "\"copy\"");
	example_put(m, "example.primary", "\"fresh\"");
	MUST(mr_close(m, "example.primary")); /* what is in it can still be taken */
	MUST(mr_close(m, "example.mirror"));
	MUST(mr_close(m, "example.archive"));

	while (take_best(m, &choice) == MR_OK) {
		printf("%s from the %s\n", choice.raw, names[choice.arm]);
		mr_choice_finish(&choice);
	}
	printf("no source is left\n");
	mr_destroy(m);
	return 0;
}
