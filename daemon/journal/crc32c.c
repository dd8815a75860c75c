/* The table has 256 entries and goes byte by byte; it is computed before main(). */
#include "daemon/journal/crc32c.h"

#include <string.h>

enum { TABLE = 256 };
#define POLYNOMIAL UINT32_C(0x82f63b78) /* reflected */

static uint32_t table_entry(uint32_t byte)
{
	for (int bit = 0; bit < 8; bit++)
		byte = byte & 1 ? byte >> 1 ^ POLYNOMIAL : byte >> 1;
	return byte;
}

static uint32_t table[TABLE];

__attribute__((constructor)) static void fill_table(void)
{
	for (uint32_t byte = 0; byte < TABLE; byte++)
		table[byte] = table_entry(byte);
}

uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	crc = ~crc;
	for (; len > 0; len--)
		crc = crc >> 8 ^ table[(crc ^ *at++) & 0xff];
	return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	uint64_t sum = ~crc, eight;
	for (; len >= sizeof(eight); len -= sizeof(eight), at += sizeof(eight)) {
		memcpy(&eight, at, sizeof(eight));
		sum = __builtin_ia32_crc32di(sum, eight);
	}
	for (; len > 0; len--)
		sum = __builtin_ia32_crc32qi((uint32_t)sum, *at++);
	return ~(uint32_t)sum;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
	return __builtin_cpu_supports("sse4.2") ? by_instruction(crc, bytes, len) : crc32c_by_table(crc, bytes, len);
}

#else

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
	return crc32c_by_table(crc, bytes, len);
}

#endif
