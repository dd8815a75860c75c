/* Frames: however the bytes are cut, the same frames come out, and nothing is read beyond what was given. The first
 * byte decides about the limit and the cuts. */
#include "proto/frame.h"

#include "tests/fuzz/fuzz.h"

static const uint32_t limits[] = {1, 7, 200, 65536};

struct frames { /* what came of a stream: a hash of the bodies, and how it ended */
	uint64_t hash, n;
	enum frame_result end;
};

static void add(struct frames *frames, struct slice body)
{
	frames->n++;
	frames->hash = (frames->hash ^ body.len) * 1099511628211u;
	for (size_t i = 0; i < body.len; i++)
		frames->hash = (frames->hash ^ (unsigned char)body.bytes[i]) * 1099511628211u;
}

/* As far as the bytes go; returns how many were used. */
static size_t take_frames(const uint8_t *data, size_t size, uint32_t limit, struct frames *frames)
{
	size_t used = 0, n, wanted;
	while (frames->end != FRAME_TOO_LARGE) {
		char *copy = fuzz_copy(data + used, size - used);
		struct slice body;
		frames->end = frame_next((struct slice){copy, size - used}, limit, &body, &n, &wanted);
		if (frames->end == FRAME_WHOLE) {
			fuzz_assert(body.len <= limit && n == body.len + FRAME_HEADER_BYTES && n <= size - used, "%zu",
				    n);
			add(frames, body);
			used += n;
		}
		free(copy);
		if (frames->end == FRAME_MORE) {
			fuzz_assert(wanted > size - used && wanted <= (size_t)limit + FRAME_HEADER_BYTES, "%zu",
				    wanted);
			break;
		}
	}
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	uint32_t limit = limits[data[0] & 3];
	size_t step = 1 + (data[0] >> 2), begin = 0;
	data++;
	size--;
	struct frames whole = {.hash = 1}, cut = {.hash = 1};
	take_frames(data, size, limit, &whole);
	for (size_t end = 0; end < size && cut.end != FRAME_TOO_LARGE;) {
		end = end + step < size ? end + step : size;
		begin += take_frames(data + begin, end - begin, limit, &cut);
	}
	fuzz_assert(whole.n == cut.n && whole.hash == cut.hash && (size == 0 || whole.end == cut.end), "%d and %d",
		    (int)whole.n, (int)cut.n);

	struct buffer out = {0};
	size_t mark = frame_begin(&out), n;
	struct slice body;
	buffer_append(&out, data, size);
	frame_end(&out, mark);
	fuzz_assert(frame_next((struct slice){out.bytes, buffer_len(&out)}, UINT32_MAX, &body, &n, NULL) == FRAME_WHOLE,
		    "its own frame");
	fuzz_assert(body.len == size && memcmp(body.bytes, data, size) == 0, "another body");
	buffer_finish(&out);
	return 0;
}
