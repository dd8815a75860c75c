/* The client's machine, fed with whatever a daemon could send: each pending request has one end, and after a failure
 * there is nothing more. The first byte says in what pieces the rest arrives. */
#include <string.h>

#include "client/machine/exchange.h"
#include "tests/fuzz/fuzz.h"

enum { N_REQUESTS = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct exchange exchange;
	struct exchange_request requests[N_REQUESTS], *request;
	struct message_reply reply;
	enum exchange_event event = EXCHANGE_MORE;
	size_t step = 1 + data[0], n_replies = 0, n_left = 0;
	exchange_init(&exchange);
	for (int i = 0; i < N_REQUESTS; i++)
		fuzz_assert(exchange_begin(&exchange, &requests[i], OP_PING, SLICE(""), SLICE(""), 1) == EXCHANGE_OK,
			    "no memory");
	for (size_t at = 1; at < size && event != EXCHANGE_FAILED; at += step) {
		size_t n = size - at < step ? size - at : step, room;
		char *to = exchange_room(&exchange, &room);
		fuzz_assert(to && n <= room, "no memory");
		memcpy(to, data + at, n);
		exchange_fed(&exchange, n);
		while ((event = exchange_next(&exchange, &request, &reply)) == EXCHANGE_REPLY ||
		       event == EXCHANGE_NOTICE) {
			if (event != EXCHANGE_REPLY)
				continue;
			fuzz_assert(request >= requests && request < requests + N_REQUESTS && reply.has_id &&
					    reply.id == request->id,
				    "another's");
			n_replies++;
		}
	}
	fuzz_assert((event == EXCHANGE_FAILED) == (exchange_error(&exchange) != NULL), "a failure has its reason");
	fuzz_assert(exchange_next(&exchange, &request, &reply) == event, "the end goes on");
	n_left = exchange.n_pending;
	fuzz_assert(n_replies + n_left == N_REQUESTS, "%zu replies and %zu without", n_replies, n_left);
	exchange_finish(&exchange);
	return 0;
}
