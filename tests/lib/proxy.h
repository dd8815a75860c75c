/* A network between a client and the daemon that can be cut, and that can go silent: it takes bytes and gives none. A
 * thread of its own. */
#ifndef MILLRACE_TESTS_PROXY_H
#define MILLRACE_TESTS_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proxy;

struct proxy *proxy_start(uint16_t daemon_port);
const char *proxy_url(const struct proxy *proxy); /* tcp://127.0.0.1:40123 */

/* Each has happened when it returns. Swallowing ends with the next cut. */
void proxy_cut(struct proxy *proxy);     /* ends all connections */
void proxy_swallow(struct proxy *proxy); /* from now on, of all connections and those to come */

/* The next connection ends after so many bytes of the client's, or of the daemon's; those after it do not. */
void proxy_cut_after(struct proxy *proxy, size_t from_client, size_t from_daemon);
bool proxy_was_cut(struct proxy *proxy); /* whether it has ended so, by now */

void proxy_stop(struct proxy *proxy);

#endif
