/* Sessions whose peers speak frames, the protocol's own wire. */
#ifndef MILLRACE_SESSION_FRAME_WIRE_H
#define MILLRACE_SESSION_FRAME_WIRE_H

#include "daemon/session/session.h"

extern const struct session_wire session_frames;

/* A connected, non-blocking socket becomes a session, or is told why not and closed. Takes `fd` over. With a context it
 * has to speak TLS. */
void session_accept(struct sessions *sessions, int fd, struct tls_context *tls);

/* The process has no descriptor for this connection: it is told so and closed. Takes `fd` over. */
void session_accept_none(struct sessions *sessions, int fd);

#endif
