#include "proto/base64.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdint.h>

/* Which bytes the alphabet has. */
static const bool is_letter[256] = {
	['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true, ['+'] = true, ['/'] = true,
};

long base64_decode(struct slice text, char *to)
{
	size_t len = text.len, n_padding = 0;
	if (len == 0)
		return 0;
	if (len % 4 || len > INT_MAX)
		return -1;
	while (n_padding < 2 && text.bytes[len - 1 - n_padding] == '=')
		n_padding++;
	/* OpenSSL passes over white space and the like. */
	for (size_t i = 0; i < len - n_padding; i++)
		if (!is_letter[(unsigned char)text.bytes[i]])
			return -1;
	int n = EVP_DecodeBlock((unsigned char *)to, (const unsigned char *)text.bytes, (int)len);
	return n < 0 ? -1 : n - (long)n_padding;
}

void base64_append(struct buffer *buffer, const void *bytes, size_t len)
{
	assert(len < INT_MAX / 2);
	size_t encoded = (len + 2) / 3 * 4;
	char *to = len ? buffer_reserve(buffer, encoded + 1) : NULL; /* OpenSSL writes a NUL behind it */
	if (!to)
		return;
	EVP_EncodeBlock((unsigned char *)to, bytes, (int)len);
	buffer_commit(buffer, encoded);
}
