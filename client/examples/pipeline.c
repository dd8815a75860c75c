/* A worker pipeline: three workers take words, do slow work on each, and put the results, in order.
 *
 *   pipeline [URL]
 */
#include <ctype.h>
#include <string.h>
#include <time.h>

#include <millrace_patterns.h>

#include "example.h"

/* The work: it runs on a thread of its own, so it may block (a query, a file, a sleep). Other values are worked on
 * meanwhile. */
static int shout(void *context, json_t *value, json_t **result)
{
	const char *word = json_string_value(value);
	char loud[64];
	size_t len;

	(void)context;
	if (!word)
		return MR_EBAD_VALUE; /* goes to failed() */
	len = strlen(word) < sizeof loud - 1 ? strlen(word) : sizeof loud - 1;
	for (size_t i = 0; i < len; i++)
		loud[i] = (char)toupper((unsigned char)word[i]);
	nanosleep(&(struct timespec){.tv_nsec = 1000000 * (long)(9 - len % 9)},
		  NULL); /* short words take longest; the order stays */
	*result = json_stringn(loud, len);
	return MR_OK;
}

/* A value whose work failed. Nothing is lost in silence: here the reader gets a note in its place. A channel of
 * failures would do, too. */
static json_t *note(void *context, const char *json, size_t len, int status)
{
	(void)context;
	return json_pack("{s:s%, s:s}", "failed", json, len, "why", mr_status_name(status));
}

int main(int argc, char **argv)
{
	mr *m = example_connect(argc > 1 ? argv[1] : NULL);
	struct mr_pipeline_counts counts;
	json_t *result;

	/* Who puts and who takes are usually other processes. Here there is room for everything, so one program can do
	 * it all in turn. */
	example_channel(m, "example.words", "bounded", 10);
	example_channel(m, "example.results", "bounded", 10);
	example_put(m, "example.words", "\"a\"");
	example_put(m, "example.words", "\"put\"");
	example_put(m, "example.words", "42");
	example_put(m, "example.words", "\"waits\"");
	MUST(mr_close(m, "example.words")); /* which ends the pipeline, when all is done */

	struct mr_pipeline pipeline = {
		.from = "example.words",
		.to = "example.results", /* is closed at the end */
		.n = 3,
		.work = shout,
		.failed = note,
	};
	MUST(mr_pipeline(m, &pipeline, &counts));

	while (MUST(mr_take(m, "example.results", &result, MR_FOREVER)) == MR_OK)
		example_print("", result);
	printf("taken %d, put %d, failed %d\n", (int)counts.taken, (int)counts.put, (int)counts.failed);
	mr_destroy(m);
	return 0;
}
