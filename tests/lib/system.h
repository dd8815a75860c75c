/* The system as a test wants it: the program's own recv(), send(), sendmsg(), accept4() and clock_gettime() stand in
 * front of libc's, for the daemon's code that is linked into it, and for libevent. Left alone, they are what they
 * always are. */
#ifndef MILLRACE_TESTS_SYSTEM_H
#define MILLRACE_TESTS_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

struct system {
	uint64_t now_us;  /* the monotonic clock; 0: the real one */
	size_t max_bytes; /* recv(), send() and sendmsg() move 1 to so many; 0: as many as they can */
	unsigned again;   /* one in so many says EAGAIN, and one in so many EINTR; 0: none. At least 2 */
	uint64_t random;  /* what decides about it */
	uint64_t calls;   /* of recv(), send(), sendmsg() and accept4() that were asked for anything */
	/* Countdowns: 1: the next call fails, with one of the errors that end a connection, or that keep one from being
	 * accepted; 0: none does. */
	unsigned recv_fails_in, send_fails_in, accept_fails_in;
	int send_buffer; /* SO_SNDBUF of what is accepted; 0: the system's own */
};

extern struct system fake_system;

#endif
