/* Records of the journal: whatever the bytes are, each record that is read lies in them, is printed, and is the same
 * when it is written and read again. */
#include "daemon/journal/record.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { PRINTED_BYTES = 1 << 17 };

static void check_again(const struct record *record, const char *printed)
{
	static char again[PRINTED_BYTES];
	struct record_buffer buffer = {0};
	struct record read;
	record_write(&buffer, record);
	fuzz_assert(!buffer.has_failed, "no memory");
	ptrdiff_t len = record_read((struct slice){buffer.bytes, buffer.len}, &read);
	fuzz_assert(len == (ptrdiff_t)buffer.len, "%zu bytes were written, and %td are read", buffer.len, len);
	fuzz_assert(record_print(&read, again, sizeof(again)) && strcmp(again, printed) == 0, "%s is %s", printed,
		    again);
	record_buffer_finish(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char printed[PRINTED_BYTES];
	char *copy = fuzz_copy(data, size);
	struct slice left = {copy, size};
	while (left.len > 0) {
		struct record record;
		ptrdiff_t len = record_read(left, &record);
		fuzz_assert(len != 0 && len <= (ptrdiff_t)left.len, "%td bytes of %zu", len, left.len);
		if (len < 0)
			break;
		if (record_print(&record, printed, sizeof(printed)))
			check_again(&record, printed);
		left.bytes += len;
		left.len -= (size_t)len;
	}
	free(copy);
	return 0;
}
