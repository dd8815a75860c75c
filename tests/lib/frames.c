#include "tests/lib/frames.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"

json_t *frames_next(struct buffer *in)
{
	struct slice body;
	json_t *request;
	size_t used;

	if (frame_next(buffer_slice(in), 1 << 20, &body, &used, NULL) != FRAME_WHOLE)
		return NULL;
	request = json_loadb(body.bytes, body.len, 0, NULL);
	ck_assert_msg(request, "no JSON: %.*s", (int)body.len, body.bytes);
	buffer_consume(in, used);
	return request;
}

void frames_append(struct buffer *out, json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);
	size_t mark = frame_begin(out);

	buffer_append(out, text, strlen(text));
	frame_end(out, mark);
	ck_assert(!out->failed);
	free(text);
	json_decref(reply);
}
