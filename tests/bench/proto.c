/* What a frame costs: to decode a put, with its members in several orders, and a take; and to encode a take's reply
 * with its value; against jansson, which builds a tree and writes it again.
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

static void decode(void)
{
	struct message_request decoded;
	if (message_decode_request(&decoder, request, request_len, &decoded) < 0)
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

/* How requests are written: what stands in front of the value, and behind it. */
static const struct form {
	const char *name, *front, *back;
} forms[] = {
	{"id_first", "{\"id\":123456,\"op\":\"put\",\"channel\":\"jobs\",\"value\":", "}"},
	{"op_first", "{\"op\":\"put\",\"id\":123456,\"channel\":\"jobs\",\"value\":", "}"},
	{"id_last", "{\"op\":\"put\",\"channel\":\"jobs\",\"value\":", ",\"id\":123456}"},
	{"blanks", "{\"op\": \"put\", \"id\": 123456, \"channel\": \"jobs\", \"value\": ", "}"},
};
static const struct form take = {"take", "{\"op\":\"take\",\"id\":123456,\"channel\":\"jobs\"", "}"};

/* An object, as values mostly are, with a string that fills it up to `len` bytes: of ASCII, or of Cyrillic letters. */
static char *make_value(size_t len, bool is_ascii)
{
	static const char front[] = "{\"n\":17,\"ok\":true,\"text\":\"";
	char *made = malloc(len + 1);
	if (!made)
		abort();
	for (size_t i = 0; i < len; i++)
		made[i] = is_ascii || (i == sizeof(front) - 1 && (len - i) % 2) ? 'x' : (len - i) % 2 ? '\xb6' : '\xd0';
	memcpy(made, front, sizeof(front) - 1);
	strcpy(made + len - 2, "\"}");
	return made;
}

static void prepare(const struct form *form, struct slice text)
{
	size_t front = strlen(form->front), back = strlen(form->back);
	request_len = front + text.len + back;
	request = malloc(request_len + 1);
	scratch = malloc(request_len + 64);
	if (!request || !scratch)
		abort();
	memcpy(request, form->front, front);
	if (text.len)
		memcpy(request + front, text.bytes, text.len);
	strcpy(request + front + text.len, form->back);
	value = (struct slice){request + front, text.len};
}

static void forget(void)
{
	free(request);
	free(scratch);
}

static void measure_jansson(double ms)
{
	reply_tree = json_pack("{s:I,s:s,s:o}", "id", (json_int_t)123456, "status", "ok", "value",
			       json_loadb(value.bytes, value.len, 0, NULL));
	printf("\"jansson_decode\":%.1f,", measure(decode_jansson, ms));
	printf("\"jansson_encode\":%.1f,", measure(encode_jansson, ms));
	json_decref(reply_tree);
}

static void measure_size(size_t len, double ms)
{
	for (int is_ascii = 0; is_ascii < 2; is_ascii++) {
		char *text = make_value(len, is_ascii);
		for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
			prepare(&forms[i], (struct slice){text, len});
			printf("\"%s%s\":%.1f,", forms[i].name, is_ascii ? "" : "_cyrillic", measure(decode, ms));
			if (is_ascii && i == 0)
				measure_jansson(ms);
			if (is_ascii && i == 0)
				printf("\"encode\":%.1f,", measure(encode, ms));
			forget();
			if (!is_ascii)
				break;
		}
		free(text);
	}
	prepare(&take, (struct slice){NULL, 0});
	printf("\"take\":%.1f", measure(decode, ms));
	forget();
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = {50, 256, 1024, 65536};
	double ms = argc == 2 && strncmp(argv[1], "ms=", 3) == 0 ? strtod(argv[1] + 3, NULL) : 50;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		printf("%s\"%zu\":{", i ? "," : "{", sizes[i]);
		measure_size(sizes[i], ms);
		printf("}");
	}
	printf("}\n");
	buffer_finish(&out);
	message_decoder_finish(&decoder);
	return 0;
}
