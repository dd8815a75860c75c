/* Every bound of the daemon, in one place: its name in the configuration, default, lowest and highest value. How they
 * relate is asserted below. */
#ifndef MILLRACE_CONFIG_LIMITS_H
#define MILLRACE_CONFIG_LIMITS_H

#include <assert.h>
#include <stdint.h>

#include "proto/message.h"
#include "proto/name.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* LIMIT(field, unit, default, lowest, highest): unit is COUNT, BYTES ("64KiB", "1MiB", "2GiB" or plain bytes) or MS
 * ("250ms", "5s", "10m", "1h" or plain milliseconds). */
#define LIMITS(LIMIT)                                                                                                  \
	LIMIT(max_connections, COUNT, 10000, 1, 1000000)                                                               \
	LIMIT(max_http_connections, COUNT, 1000, 1, 100000)                                                            \
	LIMIT(max_channels, COUNT, 200000, 1, 10000000)                                                                \
	LIMIT(max_taps, COUNT, 10000, 1, 100000)                                                                       \
	LIMIT(max_inflight, COUNT, 1024, 1, 1000000)                                                                   \
	LIMIT(max_waiters, COUNT, 100000, 1, MAX_WAITERS)                                                              \
	LIMIT(max_frame, BYTES, 1 * MIB, 64 * KIB, 16 * MIB - 1)                                                       \
	LIMIT(max_memory, BYTES, 512 * MIB, 1 * MIB, 1024 * GIB)                                                       \
	LIMIT(max_parked, BYTES, 256 * MIB, 64 * KIB, 1024 * GIB)                                                      \
	LIMIT(max_output, BYTES, 1 * MIB, 64 * KIB, 1 * GIB)                                                           \
	LIMIT(max_buffers, BYTES, 256 * MIB, 1 * MIB, 1024 * GIB)                                                      \
	LIMIT(max_park_ms, MS, 0, 0, MESSAGE_MAX_MS)                                                                   \
	LIMIT(producer_ttl, MS, 600 * 1000, 1000, MESSAGE_MAX_MS)                                                      \
	LIMIT(max_producers, COUNT, 100000, 1, 10000000)                                                               \
	LIMIT(max_idle_ms, MS, 0, 0, MESSAGE_MAX_MS)                                                                   \
	LIMIT(max_login_ms, MS, 10 * 1000, 100, 600 * 1000)                                                            \
	LIMIT(tcp_timeout_ms, MS, 120 * 1000, 1000, 12 * 3600 * 1000)                                                  \
	LIMIT(grace_ms, MS, 5000, 0, 3600000)

enum limit_unit { LIMIT_COUNT, LIMIT_BYTES, LIMIT_MS };

struct limits {
#define LIMIT(field, unit, fallback, lowest, highest) uint64_t field;
	LIMITS(LIMIT)
#undef LIMIT
};

enum {
	MAX_CAPACITY = 100000000, /* of one channel */
	MAX_WAITERS = 10000000,   /* parked on one channel */
	MAX_CONFIG_TAPS = 500,    /* of the configuration */
	MAX_LISTENERS = 16,
	MAX_HTTP_HOSTS = 16,
	MAX_DEAD_LETTER_STEPS = 16, /* of configured channels, from one to the last that its dead letters may reach */
	MAX_SPIN_US = 1000,
	MAX_USERS = 10000,
	MAX_USER_ITEMS = 1000, /* tokens, patterns and their like of one user */
	MAX_REQUESTS_PER_S = 100000000,
	TOKEN_SALT_BYTES = 16,
	TOKEN_HASH_BYTES = 32,
	STRANGER_FRAME_BYTES = 64 * 1024, /* of who has yet to say who it is */
	TURN_OUTPUT_BYTES = 256 * 1024, /* once its requests have written so much, one connection has had its turn, and
					   the others have theirs */
	TURN_SENT_BYTES = 1024 * 1024,  /* nor is it sent more in one turn, however quickly its peer takes it */
	PAGE_ROWS = 1000, /* that one reply of list, waiters or leases looks at, whether it shows them or not */
	TURN_ROWS = 1000, /* of all pages in one turn; once these are used up, a page looks at no more than */
	PAGE_MIN_ROWS = 16,
	ROW_WORK_BYTES = TURN_OUTPUT_BYTES / PAGE_ROWS + 1, /* a row counts towards its connection's turn as if so much
							      had been written */
	VALUE_WORK_BYTES = 32,                              /* likewise a value of a batch */
	TAP_WORK_BYTES = 4,         /* likewise, of each request to tap or untap, a tap that is there */
	PATTERNS_A_ROW = 16,        /* so many patterns that a name is matched against count as a row */
	GLOB_STEPS_A_PATTERN = 128, /* a glob takes at most its bytes times the name's: so many count as a pattern */
	GLOB_STEPS_A_ROW = PATTERNS_A_ROW * GLOB_STEPS_A_PATTERN,
	TOO_LARGE_LINGER_MS =
		1000, /* after frame_too_large: how long, and how much, a peer's rest is read and thrown away */
	TOO_LARGE_LINGER_BYTES = 1024 * 1024,
	REPLY_ENVELOPE_BYTES = 1024, /* a reply is at most this much longer than max_frame */
	QUOTE_BYTES = 64,            /* of input in an error's message */
};

static_assert(NAME_MAX_BYTES <= 255, "a name's length is kept in a byte");
static_assert(MESSAGE_MAX_ARMS <= 255, "an arm's index is kept in a byte");
static_assert(16 * MIB - 1 < (UINT64_C(1) << 24), "the first byte of a frame is always 0");

#endif
