/* What a fuzzer and a harness agree on. Each fuzz_NAME.c defines LLVMFuzzerTestOneInput(); with libFuzzer it is `make
 * fuzz`, and with replay.c, which gives it the files of corpus/NAME and changed copies of them, a test of `make check`.
 * A harness ends the process at whatever must not be. */
#ifndef MILLRACE_TESTS_FUZZ_H
#define MILLRACE_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_assert(truth, ...)                                                                                        \
	do {                                                                                                           \
		if (!(truth)) {                                                                                        \
			fprintf(stderr, "%s:%d: %s does not hold: ", __FILE__, __LINE__, #truth);                      \
			fprintf(stderr, __VA_ARGS__);                                                                  \
			fputc('\n', stderr);                                                                           \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

/* Memory of exactly that length, so that a sanitizer sees a read beyond it. */
static inline char *fuzz_copy(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	fuzz_assert(copy, "no memory");
	if (size)
		memcpy(copy, data, size);
	return copy;
}

#endif
