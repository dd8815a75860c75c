/* Whether memory that is free is kept for whoever needs some next. Under AddressSanitizer none is, so that it sees who
 * uses what has gone. */
#ifndef MILLRACE_CORE_KEPT_H
#define MILLRACE_CORE_KEPT_H

#if defined(__SANITIZE_ADDRESS__)
#define KEEPS_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_MEMORY 0
#endif
#endif
#ifndef KEEPS_MEMORY
#define KEEPS_MEMORY 1
#endif

#endif
