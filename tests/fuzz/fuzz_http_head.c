/* Heads of HTTP requests: wherever the input is cut a head is whole at the same place, and all that is taken from it
 * lies in it, is as it must be, and can be decoded into exactly the room that there is. */
#include "daemon/http/head.h"

#include "tests/fuzz/fuzz.h"

struct parsed {
	enum http_head_result result;
	struct http_head head;
	size_t used;
	int code;
	const char *why;
};

static struct parsed parse(const char *bytes, size_t len)
{
	struct parsed parsed = {.result = HTTP_HEAD_MORE};
	parsed.result =
		http_head_parse((struct slice){bytes, len}, &parsed.head, &parsed.used, &parsed.code, &parsed.why);
	return parsed;
}

static void check_cut(const uint8_t *data, size_t len, bool is_whole)
{
	char *copy = fuzz_copy(data, len);
	fuzz_assert(parse(copy, len).result == (is_whole ? HTTP_HEAD_WHOLE : HTTP_HEAD_MORE), "cut to %zu bytes", len);
	free(copy);
}

static void check_inside(const char *bytes, size_t used, struct slice part)
{
	fuzz_assert(!part.len || (part.bytes >= bytes && part.bytes + part.len <= bytes + used), "a part is elsewhere");
	for (size_t i = 0; i < part.len; i++)
		fuzz_assert((unsigned char)part.bytes[i] >= ' ' || part.bytes[i] == '\t', "a control character");
}

static void check_decode(struct slice text, bool is_query)
{
	char *to = malloc(text.len + 1);
	fuzz_assert(to, "no memory");
	long len = http_decode(text, is_query, to, text.len);
	free(to);
	fuzz_assert(len <= (long)text.len, "it has grown");
	if (len <= 0)
		return;
	to = malloc((size_t)len);
	fuzz_assert(to, "no memory");
	fuzz_assert(http_decode(text, is_query, to, (size_t)len) == len, "it does not fit into its own length");
	fuzz_assert(http_decode(text, is_query, to, (size_t)len - 1) == -1, "it fits into less");
	free(to);
}

static void check_head(const char *bytes, const struct parsed *parsed)
{
	const struct http_head *head = &parsed->head;
	const struct slice parts[] = {head->method, head->path,          head->query,       head->host,
				      head->origin, head->authorization, head->content_type};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		check_inside(bytes, parsed->used, parts[i]);
	fuzz_assert(head->method.len && head->path.len && head->path.bytes[0] == '/', "no request line");
	fuzz_assert(head->has_host || head->is_1_0, "no host");
	check_decode(head->path, false);
	struct slice query = head->query, name, value;
	while (http_query_next(&query, &name, &value)) {
		check_decode(name, true);
		check_decode(value, true);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(data, size);
	struct parsed parsed = parse(copy, size);
	if (parsed.result == HTTP_HEAD_WHOLE) {
		fuzz_assert(parsed.used <= size && parsed.used <= HTTP_MAX_HEAD_BYTES + 2, "%zu", parsed.used);
		check_head(copy, &parsed);
		check_cut(data, parsed.used, true);
		check_cut(data, parsed.used - 1, false);
		check_cut(data, parsed.used / 2, false);
	} else if (parsed.result == HTTP_HEAD_BAD) {
		fuzz_assert(parsed.code >= 400 && parsed.code < 600 && parsed.why && *parsed.why, "no reason is given");
	} else {
		fuzz_assert(size <= HTTP_MAX_HEAD_BYTES + 2, "it wants more than a head may have");
	}
	free(copy);
	return 0;
}
