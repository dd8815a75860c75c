/* The client's machine, fed with whatever a daemon could send: each pending request has one end, and after a failure
 * there is nothing more. The first byte says in what pieces the rest arrives. */
#include "client/machine/client.h"
#include "tests/fuzz/fuzz.h"

enum { N_REQUESTS = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct client client;
	struct client_request requests[N_REQUESTS], *request;
	struct message_reply reply;
	enum client_event event = CLIENT_MORE;
	size_t step = 1 + data[0], n_replies = 0, n_left = 0;
	client_init(&client);
	for (int i = 0; i < N_REQUESTS; i++)
		fuzz_assert(client_begin(&client, &requests[i], OP_PING, SLICE("")) == CLIENT_OK, "no memory");
	for (size_t at = 1; at < size && event != CLIENT_FAILED; at += step) {
		size_t n = size - at < step ? size - at : step;
		fuzz_assert(client_feed(&client, data + at, n), "no memory");
		while ((event = client_next(&client, &request, &reply)) == CLIENT_REPLY || event == CLIENT_NOTICE) {
			if (event != CLIENT_REPLY)
				continue;
			fuzz_assert(request >= requests && request < requests + N_REQUESTS && reply.has_id &&
					    reply.id == request->id,
				    "another's");
			n_replies++;
		}
	}
	fuzz_assert((event == CLIENT_FAILED) == (client_error(&client) != NULL), "a failure has its reason");
	fuzz_assert(client_next(&client, &request, &reply) == event, "the end goes on");
	while (client_abandon(&client))
		n_left++;
	fuzz_assert(n_replies + n_left == N_REQUESTS, "%zu replies and %zu without", n_replies, n_left);
	client_finish(&client);
	return 0;
}
