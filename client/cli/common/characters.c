#include "client/cli/common/characters.h"

#include <string.h>

#include "proto/utf8.h"

struct code_range {
	unsigned first, last;
};

/* What takes no cell of its own: marks that combine, joiners, variation selectors. */
static const struct code_range combining[] = {
	{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x05bf, 0x05c7}, {0x0610, 0x061a},   {0x064b, 0x065f},
	{0x0670, 0x0670}, {0x06d6, 0x06dc}, {0x06df, 0x06e4}, {0x0900, 0x0902}, {0x093a, 0x093a},   {0x093c, 0x093c},
	{0x0941, 0x0948}, {0x094d, 0x094d}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},   {0x1ab0, 0x1aff},
	{0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064}, {0x20d0, 0x20f0},   {0x302a, 0x302d},
	{0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff}, {0xe0100, 0xe01ef},
};

/* What takes two: East Asian Width W and F. */
static const struct code_range wide[] = {
	{0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},   {0x25fd, 0x25fe},
	{0x2614, 0x2615},   {0x2648, 0x2653},   {0x26a1, 0x26a1},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},
	{0x2705, 0x2705},   {0x270a, 0x270b},   {0x274c, 0x274c},   {0x2753, 0x2755},   {0x2795, 0x2797},
	{0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
	{0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
	{0xfe10, 0xfe19},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18cff},
	{0x1b000, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a},
	{0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca},
	{0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3fa}, {0x1f400, 0x1f64f}, {0x1f680, 0x1f6fc}, {0x1f900, 0x1f9ff},
	{0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

static bool is_among(unsigned code, const struct code_range *ranges, size_t n)
{
	for (size_t i = 0; i < n && code >= ranges[i].first; i++) {
		if (code <= ranges[i].last)
			return true;
	}
	return false;
}

static unsigned code_of(const char *character, size_t len)
{
	static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned code = (unsigned char)character[0] & masks[len];

	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)character[i] & 0x3f);
	return code;
}

/* The cells of one character, and in *len its bytes: 1 if it is none. */
static size_t cells_of(const char *character, const char *end, size_t *len)
{
	unsigned code;

	*len = utf8_len(character, end);
	if (*len == 0) {
		*len = 1;
		return 1;
	}
	code = code_of(character, *len);
	if (code < 0x300)
		return 1;
	if (is_among(code, combining, sizeof combining / sizeof *combining))
		return 0;
	return is_among(code, wide, sizeof wide / sizeof *wide) ? 2 : 1;
}

bool characters_is_control(const char *character, size_t len)
{
	const unsigned char *u = (const unsigned char *)character;

	return len == 1 ? u[0] < 0x20 || u[0] == 0x7f : len == 2 && u[0] == 0xc2 && u[1] < 0xa0;
}

size_t characters_width(const char *text, size_t len)
{
	const char *end = text + len;
	size_t cells = 0, n;

	for (; text < end; text += n)
		cells += cells_of(text, end, &n);
	return cells;
}

size_t characters_fit(const char *text, size_t cells, size_t *used)
{
	const char *at = text, *end = text + strlen(text);
	size_t len, next;

	for (*used = 0; at < end; at += len) {
		next = cells_of(at, end, &len);
		if (*used + next > cells)
			break;
		*used += next;
	}
	return (size_t)(at - text);
}
