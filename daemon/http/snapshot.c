#include "daemon/http/snapshot.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 32 * 1024, ALIGNMENT = 8 };

struct snapshot_block {
	struct snapshot_block *next;
	uint32_t used;
	_Alignas(ALIGNMENT) char bytes[BLOCK_BYTES];
};

static void *reserve(struct snapshot *snapshot, uint32_t bytes)
{
	if (!snapshot->last || snapshot->last->used + bytes > BLOCK_BYTES) {
		struct snapshot_block *block = malloc(sizeof(*block));
		if (!block)
			return NULL;
		block->next = NULL;
		block->used = 0;
		if (snapshot->last)
			snapshot->last->next = block;
		else
			snapshot->first = block;
		snapshot->last = block;
	}
	void *at = snapshot->last->bytes + snapshot->last->used;
	snapshot->last->used += bytes;
	return at;
}

static void keep(char **to, struct slice *text)
{
	if (text->len)
		memcpy(*to, text->bytes, text->len);
	text->bytes = *to;
	*to += text->len;
}

bool snapshot_copy(struct snapshot *snapshot, const struct core_channel_row *row)
{
	bool has_waits = row->put_waits != NULL;
	size_t fixed = has_waits ? sizeof(struct snapshot_row) : offsetof(struct snapshot_row, waits);
	size_t bytes =
		(fixed + row->name.len + row->definition.dead_letter.len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	struct snapshot_row *kept = reserve(snapshot, (uint32_t)bytes);
	if (!kept) {
		snapshot->failed = true;
		return false;
	}
	char *texts = (char *)kept + fixed;
	kept->row = *row;
	kept->bytes = (uint32_t)bytes;
	keep(&texts, &kept->row.name);
	keep(&texts, &kept->row.definition.dead_letter);
	if (has_waits) {
		kept->waits[0] = *row->put_waits;
		kept->waits[1] = *row->take_waits;
		kept->row.put_waits = &kept->waits[0];
		kept->row.take_waits = &kept->waits[1];
	}
	return true;
}

bool snapshot_next_channel(struct snapshot *snapshot, const struct core *core, struct core_channel_row *row)
{
	if (!core_next_channel(core, (struct slice){snapshot->after, snapshot->after_len}, row))
		return false;
	memcpy(snapshot->after, row->name.bytes, row->name.len);
	snapshot->after_len = row->name.len;
	return true;
}

void snapshot_finish(struct snapshot *snapshot)
{
	struct snapshot_block *block = snapshot->first, *next;
	for (; block; block = next) {
		next = block->next;
		free(block);
	}
	*snapshot = (struct snapshot){.first = NULL};
}

struct snapshot_cursor snapshot_begin(const struct snapshot *snapshot)
{
	return (struct snapshot_cursor){snapshot->first, 0};
}

const struct snapshot_row *snapshot_next(const struct snapshot *snapshot, struct snapshot_cursor *cursor)
{
	if (!cursor->block)
		cursor->block = snapshot->first;
	if (cursor->block && cursor->at == cursor->block->used && cursor->block->next)
		*cursor = (struct snapshot_cursor){cursor->block->next, 0};
	if (!cursor->block || cursor->at == cursor->block->used)
		return NULL;
	const struct snapshot_row *row = (const struct snapshot_row *)(cursor->block->bytes + cursor->at);
	cursor->at += row->bytes;
	return row;
}
