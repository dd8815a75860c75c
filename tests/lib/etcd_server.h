/* A real etcd of one node on free ports of 127.0.0.1, in a directory of its own, without fsync. It dies with the test.
 * What goes wrong fails the check test that runs. */
#ifndef MILLRACE_TESTS_ETCD_SERVER_H
#define MILLRACE_TESTS_ETCD_SERVER_H

struct etcd_server;

/* Starts it; whoever asks it something may be told for a while that nobody is there. `args`: more of them
 * (NULL-terminated or NULL). */
struct etcd_server *etcd_server_start(const char *scheme, const char *const *args);
void etcd_server_kill(struct etcd_server *server); /* SIGKILL; it stays where it is */
void etcd_server_start_again(struct etcd_server *server);
void etcd_server_stop(struct etcd_server *server); /* and everything of it is gone. NULL is fine */
const char *etcd_server_url(const struct etcd_server *server);

#endif
