/* Listening sockets that whoever started the process has made for it, and keeps: nobody who connects is turned away
 * while one daemon ends and the next one starts. How they are handed over is sd_listen_fds(3): LISTEN_PID, LISTEN_FDS
 * and LISTEN_FDNAMES say which descriptors they are. They belong to the process, as the environment does: there is one
 * set of them. */
#ifndef MILLRACE_NET_INHERITED_H
#define MILLRACE_NET_INHERITED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { INHERITED_ERROR_BYTES = 256 };

/* Takes them over, and removes the three from the environment. Returns how many there are: 0 if the environment has
 * none, or they are another process's. -1, with `error`, if what is there cannot be used. */
int inherited_init(char error[INHERITED_ERROR_BYTES]);

/* The one that listens at this address, or the last one, whatever it listens at. It is the caller's then. -1: there is
 * none. */
int inherited_claim(const struct sockaddr *address, socklen_t len);
int inherited_claim_any(void);

/* Whether only this machine can connect to it. */
bool inherited_is_local(int fd);

/* Closes those that nobody claimed. */
void inherited_finish(void);

#endif
