/* Requests and replies: whatever the body, decoding ends with a request that keeps every promise of message.h, or with
 * an error that can be told. */
#include <stdio.h>

#include "proto/json_scan.h"
#include "proto/message.h"
#include "proto/name.h"
#include "tests/fuzz/fuzz.h"

static bool is_value(struct slice raw)
{
	struct json_scan scan;
	struct slice same;
	json_scan_init(&scan, raw.bytes, raw.len);
	enum json_type type = json_scan_value(&scan, &same);
	return type != JSON_TYPE_NONE && type != JSON_TYPE_NULL && same.len == raw.len;
}

static void check_request(const struct message_request *request)
{
	bool is_silent_put = request->op == OP_PUT && !message_has(request, MEMBER_ID);
	fuzz_assert(request->op > OP_NONE && request->op < OP_COUNT, "op %d", (int)request->op);
	fuzz_assert(is_silent_put ? request->id == MESSAGE_NO_ID : request->id <= MESSAGE_MAX_ID, "an id");
	fuzz_assert(!message_has(request, MEMBER_CHANNEL) || name_is_valid(request->channel), "a channel's name");
	fuzz_assert(request->timeout_ms <= MESSAGE_MAX_MS, "a time");
	if (request->op == OP_PUT)
		fuzz_assert(message_has(request, MEMBER_VALUE) != message_has(request, MEMBER_VALUES),
			    "value or values");
	if (message_has(request, MEMBER_VALUE))
		fuzz_assert(is_value(request->value), "a value");
	for (size_t i = 0; i < request->n_values; i++)
		fuzz_assert(is_value(request->values[i]), "value %zu", i);
	if (request->op == OP_TAKE)
		fuzz_assert(!message_has(request, MEMBER_MAX) ||
				    (request->max >= 1 && request->max <= MESSAGE_MAX_TAKE),
			    "max");
	if (request->op == OP_ALTS)
		fuzz_assert(request->n_arms >= 1 && request->n_arms <= MESSAGE_MAX_ARMS, "arms");
	for (size_t i = 0; i < request->n_arms; i++) {
		fuzz_assert(name_is_valid(request->arms[i].channel), "the name of arm %zu", i);
		fuzz_assert(!request->arms[i].is_put || is_value(request->arms[i].value), "the value of arm %zu", i);
	}
}

/* Everything that is written is JSON, in one frame. */
static void check_error(const struct message_request *request)
{
	struct buffer out = {0};
	struct message_reply reply;
	fuzz_assert(request->error > ERROR_NONE && request->error < ERROR_COUNT, "error %d", (int)request->error);
	fuzz_assert(strlen(request->detail) < sizeof(request->detail), "a detail without an end");
	message_error(&out, request->has_id, request->id, request->error, request->detail);
	fuzz_assert(message_decode_reply(out.bytes + 4, buffer_len(&out) - 4, &reply) == 0, "%s", request->detail);
	fuzz_assert(reply.has_id == request->has_id && (!reply.has_id || reply.id == request->id), "another id");
	fuzz_assert(reply.status == STATUS_ERROR && reply.error == request->error && reply.message.len > 0,
		    "another error");
	buffer_finish(&out);
}

static void check_parted(struct message_decoder *decoder, const uint8_t *data, size_t size, enum message_op op,
			 enum message_body kind)
{
	char text[64];
	struct message_request request;
	struct slice envelope = {text,
				 (size_t)snprintf(text, sizeof(text), "{\"id\":7,\"op\":\"%s\",\"channel\":\"a\"}",
						  message_op_name(op))};
	char *copy = fuzz_copy(data, size);
	if (message_decode_parted(decoder, envelope, (struct slice){copy, size}, kind, &request) == 0)
		check_request(&request);
	else
		check_error(&request);
	fuzz_assert(request.id == 7, "another id");
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct message_decoder decoder; /* one for all, as in the daemon */
	struct message_request request;
	struct message_reply reply;
	char *copy = fuzz_copy(data, size);
	if (message_decode_request(&decoder, copy, size, &request) == 0)
		check_request(&request);
	else
		check_error(&request);
	free(copy);

	check_parted(&decoder, data, size, OP_PUT, MESSAGE_BODY_VALUE);
	check_parted(&decoder, data, size, OP_PUT, MESSAGE_BODY_VALUES);
	check_parted(&decoder, data, size, OP_TAKE, MESSAGE_BODY_MEMBERS);

	copy = fuzz_copy(data, size);
	if (message_decode_reply(copy, size, &reply) == 0) {
		fuzz_assert(reply.status < STATUS_COUNT && reply.error < ERROR_COUNT, "a status");
		fuzz_assert(!reply.values.len || reply.values.bytes[0] == '[', "values");
	}
	free(copy);
	return 0;
}
