/* Names of channels, and globs over them. */
#include "proto/name.h"

#include <stdint.h>
#include <string.h>

/* Which bytes a name may hold: a byte each, so that it costs one load. */
static const uint8_t name_bytes[256] = {
	['-'] = 1, ['.'] = 1,         ['0' ... '9'] = 1, [':'] = 1, ['A' ... 'Z'] = 1,
	['_'] = 1, ['a' ... 'z'] = 1, ['{'] = 1,         ['}'] = 1,
};

bool name_is_valid(struct slice name)
{
	if (name.len == 0 || name.len > NAME_MAX_BYTES || name.bytes[0] == '.' || name.bytes[0] == '-')
		return false;
	unsigned good = 1;
	for (size_t i = 0; i < name.len; i++) /* to the end, so that no byte is waited for */
		good &= name_bytes[(unsigned char)name.bytes[i]];
	return good;
}

bool name_is_reserved(struct slice name)
{
	return name.len > 0 && name.bytes[0] == '_';
}

struct slice channel_group(struct slice name)
{
	const char *end = name.bytes + name.len;
	const char *open = memchr(name.bytes, '{', name.len);
	const char *close = open ? memchr(open, '}', (size_t)(end - open)) : NULL;
	return close && close > open + 1 ? (struct slice){open + 1, (size_t)(close - open - 1)} : SLICE("default");
}

bool group_name_is_valid(struct slice group)
{
	unsigned good = group.len >= 1 && group.len <= GROUP_MAX_BYTES;
	for (size_t i = 0; i < group.len; i++)
		good &= name_bytes[(unsigned char)group.bytes[i]] & (group.bytes[i] != '}');
	return good;
}

/* Matches one byte against the set whose '[' is at `at`. Sets *next behind its ']'. A set without an end is a plain
 * '['. A ']' that stands first in the set is one of its bytes. */
static bool set_matches(struct slice glob, size_t at, unsigned char byte, size_t *next)
{
	size_t i = at + 1;
	bool negated = i < glob.len && glob.bytes[i] == '!';
	bool found = false;
	i += negated;
	for (size_t first = i; i < glob.len; i++) {
		if (glob.bytes[i] == ']' && i > first) {
			*next = i + 1;
			return found != negated;
		}
		if (glob.bytes[i] == '\\' && i + 1 < glob.len)
			i++;
		unsigned char low = (unsigned char)glob.bytes[i], high = low;
		if (i + 2 < glob.len && glob.bytes[i + 1] == '-' && glob.bytes[i + 2] != ']') {
			high = (unsigned char)glob.bytes[i + 2];
			i += 2;
		}
		if (low <= byte && byte <= high)
			found = 1;
	}
	*next = at + 1;
	return byte == '[';
}

/* Whether the element of the glob at `at`, which is not '*', matches the byte; sets *next to the element after it. */
static bool element_matches(struct slice glob, size_t at, unsigned char byte, size_t *next)
{
	switch (glob.bytes[at]) {
	case '?':
		*next = at + 1;
		return true;
	case '[':
		return set_matches(glob, at, byte, next);
	case '\\':
		if (at + 1 < glob.len)
			at++;
		break;
	}
	*next = at + 1;
	return (unsigned char)glob.bytes[at] == byte;
}

bool name_may_match(struct slice name, struct slice glob)
{
	char last = glob.len ? glob.bytes[glob.len - 1] : '\0';
	if (last == '*' || last == '?' || last == ']')
		return true;
	return glob.len ? name.len && name.bytes[name.len - 1] == last : name.len == 0;
}

/* Where from `i` on what stands behind a '*' of the glob, at `at`, may begin to match; the name's length: nowhere. */
static size_t may_begin(struct slice name, size_t i, struct slice glob, size_t at)
{
	if (at == glob.len || i >= name.len || strchr("*?[\\", glob.bytes[at]))
		return i;
	const char *found = memchr(name.bytes + i, glob.bytes[at], name.len - i);
	return found ? (size_t)(found - name.bytes) : name.len;
}

/* A later '*' makes an earlier one's choice final, so going back to the last one alone is enough: at most pattern ×
 * name steps. */
bool name_matches(struct slice name, struct slice glob)
{
	size_t at = 0, i = 0, next;
	size_t star = SIZE_MAX, star_at = 0;
	if (!name_may_match(name, glob))
		return false;
	while (i < name.len) {
		if (at < glob.len && glob.bytes[at] == '*') {
			star = at++;
			star_at = i = may_begin(name, i, glob, at);
		} else if (at < glob.len && element_matches(glob, at, (unsigned char)name.bytes[i], &next)) {
			at = next;
			i++;
		} else if (star != SIZE_MAX) {
			at = star + 1;
			star_at = i = may_begin(name, star_at + 1, glob, at);
		} else {
			return false;
		}
	}
	while (at < glob.len && glob.bytes[at] == '*')
		at++;
	return at == glob.len;
}
