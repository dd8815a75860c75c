#include "tests/lib/memory.h"

#include <errno.h>
#include <stdlib.h>

struct memory memory = {.run = 1};

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature) /* clang */
#define HAS_ADDRESS_SANITIZER __has_feature(address_sanitizer)
#else
#define HAS_ADDRESS_SANITIZER 0
#endif

#ifdef __SANITIZE_THREAD__

bool memory_can_fail(void)
{
	return false;
}

#else

/* For libc too, whose strdup() and its like allocate what others free. */
#define EXPORTED  __attribute__((visibility("default"))) UNCHECKED
/* The dynamic linker allocates before the sanitizer has begun. */
#define UNCHECKED __attribute__((no_sanitize_address))

#if HAS_ADDRESS_SANITIZER
#define BEHIND(function) __interceptor_##function
/* The sanitizer's strdup() and its like do not come by here, so that blocks cannot be counted; it finds leaks itself.
 */
enum { COUNTS_BLOCKS = 0 };
#else
#define BEHIND(function) __libc_##function
enum { COUNTS_BLOCKS = 1 };
#endif

void *BEHIND(malloc)(size_t size);
void *BEHIND(calloc)(size_t n, size_t size);
void *BEHIND(realloc)(void *old, size_t size);
void BEHIND(free)(void *block);

bool memory_can_fail(void)
{
	return true;
}

static UNCHECKED bool fails(void)
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

static UNCHECKED void *counted(void *block)
{
	memory.live += COUNTS_BLOCKS && block != NULL;
	return block;
}

EXPORTED void *malloc(size_t size)
{
	return fails() ? NULL : counted(BEHIND(malloc)(size));
}

EXPORTED void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : counted(BEHIND(calloc)(n, size));
}

EXPORTED void *realloc(void *old, size_t size)
{
	if (fails())
		return NULL;
	return old ? BEHIND(realloc)(old, size) : counted(BEHIND(malloc)(size));
}

EXPORTED void free(void *block)
{
	memory.live -= COUNTS_BLOCKS && block != NULL;
	BEHIND(free)(block);
}

#endif
