/* Listening sockets: TCP, with TLS or without, and Unix-domain ones. They hand out connected, non-blocking sockets. */
#ifndef MILLRACE_NET_LISTENER_H
#define MILLRACE_NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"
#include "daemon/net/loop.h"

struct listener;

struct tls_context;

struct listener_handlers {                                             /* `fd` is the callee's */
	void (*on_accept)(void *arg, int fd, struct tls_context *tls); /* NULL: without TLS */
	void (*on_no_descriptor)(
		void *arg,
		int fd); /* one that the process has no descriptor for: to be told so, and closed before it returns */
	void *arg;
};

enum { LISTENER_ERROR_BYTES = 256, LISTENER_URL_BYTES = 160 };

/* Listens at every address that the host's name has, and adds the listeners to the front of *chain. A Unix socket's
 * file that nobody listens on any more is replaced; the new one is for its owner and group. `tls`, of a tls:// address
 * alone, has to stay for as long as they do. -1, with `error` saying why: those that were opened are in the chain all
 * the same. */
int listener_open(struct listener **chain, struct loop *loop, const struct address *address, struct tls_context *tls,
		  const struct listener_handlers *handlers, char error[LISTENER_ERROR_BYTES]);

/* Listens on those of inherited.h that nobody has claimed: call it after listener_open() for all addresses, which use
 * those that are at their own. -1, with `error`, if one cannot be used, or other machines can reach it and
 * `may_be_open` is false. */
int listener_open_inherited(struct listener **chain, struct loop *loop, const struct listener_handlers *handlers,
			    bool may_be_open, char error[LISTENER_ERROR_BYTES]);

/* Lets the listeners of a chain accept nobody until listener_go_on(): who connects meanwhile waits. -1: no memory. */
void listener_hold(struct listener *chain);
int listener_go_on(struct listener *chain);

/* Gives the files of a chain's Unix sockets, but those of inherited ones, to that account. -1, with `error`. */
int listener_give(struct listener *chain, uid_t uid, gid_t gid, char error[LISTENER_ERROR_BYTES]);

/* Closes all of a chain, and removes its Unix sockets' files, but those of inherited ones. NULL is fine. */
void listener_close(struct listener *chain);

struct listener *listener_next(const struct listener *listener);

/* Where it really listens: "tcp://127.0.0.1:40123", "tls://[::1]:7225", "unix:///run/m.sock". */
void listener_url(const struct listener *listener, char url[LISTENER_URL_BYTES]);

/* Until when the listener's certificate holds, in seconds since 1970; false: it has none. */
bool listener_certificate_expiry(const struct listener *listener, int64_t *expiry_s);

#endif
