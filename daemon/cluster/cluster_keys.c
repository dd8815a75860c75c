#include "daemon/cluster/cluster_keys.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 1, 2))) static struct cluster_key key_of(const char *format, ...)
{
	struct cluster_key key;
	va_list arguments;
	va_start(arguments, format);
	key.len = (size_t)vsnprintf(key.bytes, sizeof(key.bytes), format, arguments);
	va_end(arguments);
	return key;
}

struct cluster_key key_of_member(struct slice daemon)
{
	return key_of("m/%.*s", (int)daemon.len, daemon.bytes);
}

struct cluster_key key_of_group(struct slice group, const char *what)
{
	return key_of("g/%.*s/%s", (int)group.len, group.bytes, what);
}

struct cluster_key key_of_batch(struct slice group, struct batch_position position)
{
	return key_of("j/%.*s/%016" PRIx64 "/%016" PRIx64, (int)group.len, group.bytes, position.epoch, position.seq);
}

struct cluster_key key_of_batches(struct slice group)
{
	return key_of("j/%.*s/", (int)group.len, group.bytes);
}

struct cluster_key key_after_batches(struct slice group)
{
	return key_of("j/%.*s0", (int)group.len, group.bytes); /* '0' follows '/' */
}

struct slice key_read_name(struct slice key, struct slice *what)
{
	if (key.len < 2)
		return *what = (struct slice){0};
	struct slice rest = {key.bytes + 2, key.len - 2};
	const char *end = memchr(rest.bytes, '/', rest.len);
	if (!end) {
		*what = (struct slice){0};
		return rest;
	}
	size_t len = (size_t)(end - rest.bytes);
	*what = (struct slice){end + 1, rest.len - len - 1};
	return (struct slice){rest.bytes, len};
}

/* A number of so many digits at the front of the text, which goes on behind it. */
static bool read_hex(struct slice *text, size_t digits, uint64_t *number)
{
	if (text->len < digits)
		return false;
	*number = 0;
	for (size_t i = 0; i < digits; i++) {
		char c = text->bytes[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
		if (digit < 0)
			return false;
		*number = *number << 4 | (uint64_t)digit;
	}
	*text = (struct slice){text->bytes + digits, text->len - digits};
	return true;
}

static bool read_byte(struct slice *text, char byte)
{
	if (text->len == 0 || text->bytes[0] != byte)
		return false;
	*text = (struct slice){text->bytes + 1, text->len - 1};
	return true;
}

/* Up to the next space, or the end. */
static struct slice read_word(struct slice *text)
{
	const char *end = text->len ? memchr(text->bytes, ' ', text->len) : NULL;
	struct slice word = {text->bytes, end ? (size_t)(end - text->bytes) : text->len};
	*text = (struct slice){text->bytes + word.len, text->len - word.len};
	return word;
}

bool key_read_position(struct slice key, struct batch_position *position)
{
	return key.len > POSITION_BYTES &&
	       position_read((struct slice){key.bytes + key.len - POSITION_BYTES, POSITION_BYTES}, position);
}

void position_write(struct batch_position position, char text[POSITION_BYTES + 1])
{
	snprintf(text, POSITION_BYTES + 1, "%016" PRIx64 "/%016" PRIx64, position.epoch, position.seq);
}

bool position_read(struct slice text, struct batch_position *position)
{
	return text.len == POSITION_BYTES && read_hex(&text, 16, &position->epoch) && read_byte(&text, '/') &&
	       read_hex(&text, 16, &position->seq);
}

size_t owner_write(const struct cluster_owner *owner, char text[OWNER_BYTES])
{
	return (size_t)snprintf(text, OWNER_BYTES, "%016" PRIx64 " %016" PRIx64 "%016" PRIx64 " %.*s", owner->epoch,
				owner->mark.words[0], owner->mark.words[1], (int)owner->daemon.len,
				owner->daemon.bytes);
}

static bool read_mark(struct slice *text, struct cluster_mark *mark)
{
	return read_hex(text, 16, &mark->words[0]) && read_hex(text, 16, &mark->words[1]) && read_byte(text, ' ');
}

bool owner_read(struct slice text, struct cluster_owner *owner)
{
	if (!read_hex(&text, 16, &owner->epoch) || !read_byte(&text, ' ') || !read_mark(&text, &owner->mark))
		return false;
	owner->daemon = text;
	return cluster_name_is_valid(text);
}

size_t member_write(const struct cluster_member *member, char text[MEMBER_BYTES])
{
	struct slice address = member->address, http = member->http;
	if (address.len == 0 || address.len > CLUSTER_ADDRESS_BYTES || http.len > CLUSTER_ADDRESS_BYTES ||
	    memchr(address.bytes, ' ', address.len) || (http.len && memchr(http.bytes, ' ', http.len)))
		return 0;
	return (size_t)snprintf(text, MEMBER_BYTES,
				"%016" PRIx64 "%016" PRIx64 " %s %016" PRIx64 " %016" PRIx64 " %.*s %.*s",
				member->mark.words[0], member->mark.words[1], member->is_draining ? "draining" : "up",
				member->joined_ms, member->places, (int)address.len, address.bytes, (int)http.len,
				http.len ? http.bytes : "");
}

bool member_read(struct slice text, struct cluster_member *member)
{
	if (!read_mark(&text, &member->mark))
		return false;
	struct slice state = read_word(&text);
	member->is_draining = slice_equal(state, SLICE("draining"));
	if (!read_byte(&text, ' ') || !read_hex(&text, 16, &member->joined_ms) || !read_byte(&text, ' ') ||
	    !read_hex(&text, 16, &member->places) || !read_byte(&text, ' '))
		return false;
	member->address = read_word(&text);
	if (!read_byte(&text, ' '))
		return false;
	member->http = text;
	return member->address.len > 0;
}

bool cluster_name_is_valid(struct slice name)
{
	return name_is_valid(name) && !memchr(name.bytes, '{', name.len) && !memchr(name.bytes, '}', name.len);
}
