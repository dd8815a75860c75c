/* A peer of the daemon that a script drives, and that holds the daemon to its word: what comes is whole frames, or
 * whole responses of HTTP; each belongs to a request that waits for it, and each whole request gets exactly one reply,
 * unless the connection has ended. A peer that has sent anything but whole requests checks no more than that they are
 * frames. Whatever must not be ends the process, after a line that says what it was. */
#ifndef MILLRACE_TESTS_SCRIPTED_PEER_H
#define MILLRACE_TESTS_SCRIPTED_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/slice.h"

enum { PEER_MAX_REQUESTS = 256, PEER_LEASE_BYTES = 32 };

struct scripted_peer {
	int fd; /* -1: it is not connected, or has hung up */
	bool is_http;
	bool is_deaf;     /* reads nothing just now */
	bool has_ended;   /* the daemon has closed its side */
	bool is_inexact;  /* has sent what is no whole request */
	bool must_end;    /* has been told something without having asked: the daemon is ending the connection */
	bool is_in_long;  /* HTTP: in a response that comes in chunks */
	struct buffer in; /* what has come and is not whole yet */
	size_t n_awaited;
	uint64_t
		awaited[PEER_MAX_REQUESTS]; /* frames: ids, in no order; HTTP: whether it was a HEAD, the first first */
};

/* Closes the connection, and forgets everything about it but which wire it speaks. */
void scripted_peer_hang_up(struct scripted_peer *peer);

/* A request is about to be sent whole: the body of a frame, or all bytes of one of HTTP with this method. */
void scripted_peer_expect_frame(struct scripted_peer *peer, struct slice body);
void scripted_peer_expect_response(struct scripted_peer *peer, struct slice method);

/* Reads once. Returns whether anything came; the last lease that was given is left in `lease`. */
bool scripted_peer_read(struct scripted_peer *peer, char lease[PEER_LEASE_BYTES]);

/* Whether a reply has to come still. */
bool scripted_peer_waits(const struct scripted_peer *peer);

/* The daemon is settled and all that it wrote was read: whether it owes no more than it may. */
void scripted_peer_check_end(const struct scripted_peer *peer);

#endif
