#include "daemon/journal/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/journal/crc32c.h"

static const char magic[16] = "millrace journal";

enum { SEGMENT_SUMMED_BYTES = 40, SEGMENT_SIZED_BYTES = 52, BATCH_SUM_AT = 40 };

static char *write_le(char *at, uint64_t number, int bytes)
{
	for (int i = 0; i < bytes; i++)
		*at++ = (char)(number >> 8 * i);
	return at;
}

static uint64_t read_le(const char **at, int bytes)
{
	uint64_t number = 0;
	for (int i = 0; i < bytes; i++)
		number |= (uint64_t)(unsigned char)*(*at)++ << 8 * i;
	return number;
}

void segment_head_write(char block[JOURNAL_BLOCK], const struct segment_head *head)
{
	memset(block, 0, JOURNAL_BLOCK);
	memcpy(block, magic, sizeof(magic));
	char *at = write_le(block + sizeof(magic), JOURNAL_FORMAT, 4);
	at = write_le(at, head->salt, 8);
	at = write_le(at, head->first, 8);
	at = write_le(at, head->chain, 4);
	at = write_le(at, crc32c(0, block, SEGMENT_SUMMED_BYTES), 4);
	at = write_le(at, head->size, 8);
	if (head->size)
		write_le(at, crc32c(0, block, SEGMENT_SIZED_BYTES), 4);
}

enum segment_verdict segment_head_read(const char block[JOURNAL_BLOCK], struct segment_head *head, uint32_t *format)
{
	if (memcmp(block, magic, sizeof(magic)) != 0)
		return SEGMENT_FOREIGN;
	const char *at = block + sizeof(magic);
	*format = (uint32_t)read_le(&at, 4);
	head->salt = read_le(&at, 8);
	head->first = read_le(&at, 8);
	head->chain = (uint32_t)read_le(&at, 4);
	if (*format > JOURNAL_FORMAT)
		return SEGMENT_NEWER;
	uint32_t sum = (uint32_t)read_le(&at, 4);
	head->size = read_le(&at, 8);
	uint32_t sized_sum = (uint32_t)read_le(&at, 4);
	bool is_without = head->size == 0 && sized_sum == 0;
	return sum == crc32c(0, block, SEGMENT_SUMMED_BYTES) &&
			       (is_without || sized_sum == crc32c(0, block, SEGMENT_SIZED_BYTES))
		       ? SEGMENT_GOOD
		       : SEGMENT_BROKEN;
}

void segment_name(char name[SEGMENT_NAME_BYTES], uint64_t first)
{
	snprintf(name, SEGMENT_NAME_BYTES, "%020" PRIu64 ".journal", first);
}

bool segment_name_read(const char *name, uint64_t *first)
{
	char again[SEGMENT_NAME_BYTES];
	if (sscanf(name, "%20" SCNu64, first) != 1)
		return false;
	segment_name(again, *first);
	return strcmp(name, again) == 0;
}

void batch_open(char *batch, uint64_t number, uint32_t len)
{
	write_le(batch + 8, number, 8);
	write_le(batch + 24, len, 4);
}

uint32_t batch_seal(char *batch, struct batch_head head)
{
	char *at = write_le(batch, head.salt, 8);
	at = write_le(at, head.number, 8);
	at = write_le(at, head.synced, 8);
	at = write_le(at, head.len, 4);
	at = write_le(at, head.chain, 4);
	memset(at, 0, (size_t)(batch + BATCH_SUM_AT - at)); /* for what a later format may need */
	uint32_t sum = crc32c(crc32c(0, batch, BATCH_SUM_AT), batch + BATCH_HEAD_BYTES, head.len);
	write_le(batch + BATCH_SUM_AT, sum, 4);
	return sum;
}

bool batch_head_read(const char *bytes, uint64_t salt, struct batch_head *head)
{
	head->salt = read_le(&bytes, 8);
	head->number = read_le(&bytes, 8);
	head->synced = read_le(&bytes, 8);
	head->len = (uint32_t)read_le(&bytes, 4);
	head->chain = (uint32_t)read_le(&bytes, 4);
	bytes += BATCH_SUM_AT - 32;
	head->sum = (uint32_t)read_le(&bytes, 4);
	return head->salt == salt;
}

bool batch_is_whole(const char *batch, const struct batch_head *head)
{
	return head->sum == crc32c(crc32c(0, batch, BATCH_SUM_AT), batch + BATCH_HEAD_BYTES, head->len);
}
