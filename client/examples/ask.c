/* Asks `serve` something, and waits for the answer, one second at most.
 *
 *   ask JSON [URL]
 */
#include <millrace_patterns.h>

#include "example.h"

int main(int argc, char **argv)
{
	json_t *request = argc > 1 ? json_loads(argv[1], JSON_DECODE_ANY, NULL) : NULL, *reply;
	mr *m;
	int status;

	if (!request) {
		fprintf(stderr, "usage: ask JSON [URL]\n");
		return 2;
	}
	m = example_connect(argc > 2 ? argv[2] : NULL);

	/* A reply channel is made, its name sent along, and it is removed at last: nobody else can see or spoil the
	 * answer. */
	status = mr_ask(m, "example.requests", request, 1000, &reply);
	if (status == MR_OK)
		example_print("", reply);
	else if (status == MR_EFAILED) /* the server's own words */
		printf("refused: %s\n", mr_message());
	else if (status < 0)
		fprintf(stderr, "%s\n", mr_message());
	else
		printf("no answer: %s\n", mr_status_name(status));
	json_decref(request);
	mr_destroy(m);
	return status == MR_OK ? 0 : 1;
}
