/* The assembler takes the files in as they are; the Makefile knows that this one depends on them, and builds from the
 * top of the tree. */
#include "daemon/http/assets.h"

#define ASSET(name, path)                                                                                              \
	__asm__(".section .rodata\n"                                                                                   \
		".balign 16\n"                                                                                         \
		"asset_" #name "_begin: .incbin \"" path "\"\n"                                                        \
		"asset_" #name "_end: .byte 0\n"                                                                       \
		".previous\n");                                                                                        \
	extern const char asset_##name##_begin[] __attribute__((visibility("hidden")));                                \
	extern const char asset_##name##_end[] __attribute__((visibility("hidden")));                                  \
	struct slice asset_##name(void)                                                                                \
	{                                                                                                              \
		return (struct slice){asset_##name##_begin, (size_t)(asset_##name##_end - asset_##name##_begin)};      \
	}

ASSET(dashboard, "daemon/http/dashboard.html")
ASSET(dashboard_css, "daemon/http/dashboard.css")
ASSET(dashboard_js, "daemon/http/dashboard.js")
ASSET(openapi, "proto/openapi.json")
