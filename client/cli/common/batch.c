#include "client/cli/common/batch.h"

#include <assert.h>

void batch_finish(struct batch *batch)
{
	buffer_finish(&batch->text);
}

void batch_clear(struct batch *batch)
{
	buffer_clear(&batch->text);
	batch->n = 0;
	batch->bracket = 0;
}

bool batch_has_room(const struct batch *batch, size_t len, size_t max_bytes)
{
	return batch->n == 0 || (batch->n < BATCH_VALUES && buffer_len(&batch->text) + len + 2 <= max_bytes);
}

int batch_add(struct batch *batch, struct slice value, uint64_t line)
{
	assert(batch->n < BATCH_VALUES);
	buffer_append(&batch->text, ",", 1);
	batch->begins[batch->n] = buffer_len(&batch->text);
	batch->lines[batch->n] = line;
	buffer_append(&batch->text, value.bytes, value.len);
	if (batch->text.failed)
		return -1;
	batch->n++;
	return 0;
}

struct slice batch_array(struct batch *batch, size_t from, size_t n)
{
	size_t begin, end;
	char *text;

	assert(n > 0 && from + n <= batch->n);
	if (!buffer_reserve(&batch->text, 1)) /* the bracket behind the last value is not part of the text */
		return (struct slice){NULL, 0};
	text = batch->text.bytes + batch->text.start;
	if (batch->bracket)
		text[batch->bracket] = ',';
	begin = batch->begins[from] - 1;
	end = from + n < batch->n ? batch->begins[from + n] - 1 : buffer_len(&batch->text);
	text[begin] = '[';
	text[end] = ']';
	batch->bracket = from + n < batch->n ? end : 0;
	return (struct slice){text + begin, end - begin + 1};
}
