#include "tests/lib/memory.h"

#include <errno.h>
#include <stdlib.h>

struct memory memory = {.run = 1};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

bool memory_can_fail(void)
{
	return false;
}

#else

/* For libc too, whose strdup() and its like allocate what others free. */
#define EXPORTED __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *block);

bool memory_can_fail(void)
{
	return true;
}

static bool fails(void)
{
	if (!memory.is_counting || memory.countdown == 0)
		return false;
	if (memory.countdown > 1) {
		memory.countdown--;
		return false;
	}
	if (memory.run-- <= 1)
		memory.countdown = 0;
	memory.has_failed = true;
	errno = ENOMEM;
	return true;
}

static void *counted(void *block)
{
	memory.live += block != NULL;
	return block;
}

EXPORTED void *malloc(size_t size)
{
	return fails() ? NULL : counted(__libc_malloc(size));
}

EXPORTED void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : counted(__libc_calloc(n, size));
}

EXPORTED void *realloc(void *old, size_t size)
{
	if (fails())
		return NULL;
	return old ? __libc_realloc(old, size) : counted(__libc_malloc(size));
}

EXPORTED void free(void *block)
{
	memory.live -= block != NULL;
	__libc_free(block);
}

#endif
