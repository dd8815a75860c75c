#include "daemon/access/token.h"

void token_format(struct core_token token, char text[TOKEN_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	for (int i = 0; i < TOKEN_TEXT_BYTES; i++)
		text[i] = digits[token.words[i / 16] >> (60 - i % 16 * 4) & 15];
}

static int digit_from(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

bool token_parse(struct slice text, struct core_token *token)
{
	*token = (struct core_token){{0, 0}};
	if (text.len != TOKEN_TEXT_BYTES)
		return false;
	for (int i = 0; i < TOKEN_TEXT_BYTES; i++) {
		int digit = digit_from(text.bytes[i]);
		if (digit < 0)
			return false;
		token->words[i / 16] = token->words[i / 16] << 4 | (uint64_t)digit;
	}
	return true;
}
