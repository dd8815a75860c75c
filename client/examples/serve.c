/* A server behind a channel of requests; `ask` is its client. It counts the letters of a text, four requests at a time.
 *
 *   serve [URL]
 *
 * It ends when the channel is closed (millrace close example.requests), having answered all that was in it. Start as
 * many servers as you like, on any machine, on one channel that outlives them: each request goes to one of them.
 */
#include <string.h>

#include <millrace_patterns.h>

#include "example.h"

static int count_letters(void *context, json_t *request, json_t **answer)
{
	(void)context;
	if (!json_is_string(request)) {
		*answer = json_string("the request has to be a text"); /* the asker's mr_message() */
		return MR_EFAILED;
	}
	*answer = json_pack("{s:O, s:I}", "text", request, "letters", (json_int_t)json_string_length(request));
	return MR_OK;
}

int main(int argc, char **argv)
{
	mr *m = example_connect(argc > 1 ? argv[1] : NULL);
	struct mr_service service = {.channel = "example.requests", .n = 4, .answer = count_letters};
	struct mr_service_counts counts;

	/* Unbuffered: a request that nobody is free to answer waits with its asker, and goes when that gives up. */
	example_channel(m, service.channel, "unbuffered", 0);
	printf("ready\n");
	fflush(stdout);
	MUST(mr_serve(m, &service, &counts));
	printf("answered %d requests\n", (int)counts.answered);
	mr_destroy(m);
	return 0;
}
