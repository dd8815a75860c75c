/* What a frame costs: to decode a put, and to encode a take's reply with its value, against jansson, which builds a
 * tree and writes it again.
 *
 *   proto [ms=N]
 *
 * Prints one line of JSON: nanoseconds a frame, for each size of the value. The least of many short measurements
 * counts: it is what the code costs when nothing else disturbs the machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "proto/frame.h"
#include "proto/message.h"
#include "proto/request_quick.h"

enum { MEASUREMENTS = 40 };

static char *request, *scratch; /* scratch: decoders may write over a body */
static size_t request_len;
static struct slice value;
static struct buffer out;
static struct message_decoder decoder;
static volatile size_t sink; /* so that no work is left out as useless */

static double now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void decode_quick(void)
{
	struct message_request decoded;
	if (message_decode_request(&decoder, request, request_len, &decoded) < 0)
		abort();
	sink += decoded.value.len;
}

static void decode_any(void)
{
	struct message_request decoded;
	if (message_decode_request_any(&decoder, request, request_len, &decoded) < 0)
		abort();
	sink += decoded.value.len;
}

static void encode(void)
{
	buffer_clear(&out);
	size_t mark = message_begin_reply(&out, true, 123456, STATUS_OK);
	message_key(&out, "value");
	buffer_append(&out, value.bytes, value.len);
	message_end(&out, mark);
	sink += buffer_len(&out);
}

static void decode_jansson(void)
{
	json_t *tree = json_loadb(request, request_len, JSON_ALLOW_NUL, NULL);
	sink += json_object_size(tree);
	json_decref(tree);
}

static json_t *reply_tree;

static void encode_jansson(void)
{
	sink += json_dumpb(reply_tree, scratch, request_len + 64, JSON_COMPACT);
}

/* The least time of one call, over some milliseconds. */
static double measure(void (*work)(void), double ms)
{
	double begin = now_ns(), best = 1e18;
	unsigned n = 1;
	for (work(); now_ns() - begin < 2e5; n++)
		work();
	n = (unsigned)(n * ms * 5 / MEASUREMENTS) + 1;
	for (int i = 0; i < MEASUREMENTS; i++) {
		begin = now_ns();
		for (unsigned j = 0; j < n; j++)
			work();
		double each = (now_ns() - begin) / n;
		best = each < best ? each : best;
	}
	return best;
}

/* An object, as values mostly are, with a string that fills it up to `len` bytes. */
static void prepare(size_t len)
{
	static const char head[] = "{\"id\":123456,\"op\":\"put\",\"channel\":\"jobs\",\"value\":";
	static const char front[] = "{\"n\":17,\"ok\":true,\"text\":\"";
	request_len = sizeof(head) - 1 + len + 1;
	request = malloc(request_len + 1);
	scratch = malloc(request_len + 64);
	if (!request || !scratch)
		abort();
	memset(request, 'x', request_len);
	memcpy(request, head, sizeof(head) - 1);
	memcpy(request + sizeof(head) - 1, front, sizeof(front) - 1);
	memcpy(request + request_len - 3, "\"}}", 4);
	value = (struct slice){request + sizeof(head) - 1, len};
	reply_tree = json_pack("{s:I,s:s,s:o}", "id", (json_int_t)123456, "status", "ok", "value",
			       json_loadb(value.bytes, value.len, 0, NULL));
}

static void forget(void)
{
	json_decref(reply_tree);
	free(request);
	free(scratch);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = {50, 256, 1024, 65536};
	double ms = argc == 2 && strncmp(argv[1], "ms=", 3) == 0 ? strtod(argv[1] + 3, NULL) : 50;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		prepare(sizes[i]);
		printf("%s\"%zu\":{\"decode\":%.0f,\"decode_any_order\":%.0f,\"encode\":%.0f,\"jansson_decode\":%.0f,"
		       "\"jansson_encode\":%.0f}",
		       i ? "," : "{", sizes[i], measure(decode_quick, ms), measure(decode_any, ms), measure(encode, ms),
		       measure(decode_jansson, ms), measure(encode_jansson, ms));
		forget();
	}
	printf("}\n");
	buffer_finish(&out);
	message_decoder_finish(&decoder);
	return 0;
}
