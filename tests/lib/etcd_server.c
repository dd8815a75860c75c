#define _GNU_SOURCE
#include "tests/lib/etcd_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGS = 32 };

struct etcd_server {
	pid_t pid; /* 0: it does not run */
	char directory[64], url[64], peer_url[64], cluster[96];
	const char *argv[MAX_ARGS];
};

static uint16_t free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	getsockname(fd, (struct sockaddr *)&address, &len);
	close(fd);
	return ntohs(address.sin_port);
}

void etcd_server_start_again(struct etcd_server *server)
{
	pid_t parent = getpid();
	server->pid = fork();
	ck_assert_int_ge(server->pid, 0);
	if (server->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		if (getppid() == parent)
			execvp("etcd", (char *const *)server->argv);
		_exit(127);
	}
}

struct etcd_server *etcd_server_start(const char *scheme, const char *const *args)
{
	struct etcd_server *server = calloc(1, sizeof(*server));
	ck_assert_ptr_nonnull(server);
	strcpy(server->directory, "/tmp/millrace-etcd-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(server->directory));
	snprintf(server->url, sizeof(server->url), "%s://localhost:%u", scheme, free_port());
	snprintf(server->peer_url, sizeof(server->peer_url), "http://127.0.0.1:%u", free_port());
	snprintf(server->cluster, sizeof(server->cluster), "default=%s", server->peer_url);
	const char *argv[MAX_ARGS] = {
		"etcd",
		"--data-dir",
		server->directory,
		"--listen-client-urls",
		server->url,
		"--advertise-client-urls",
		server->url,
		"--listen-peer-urls",
		server->peer_url,
		"--initial-advertise-peer-urls",
		server->peer_url,
		"--initial-cluster",
		server->cluster,
		"--unsafe-no-fsync",
		"--heartbeat-interval=50",
		"--election-timeout=300",
	};
	size_t n = 0;
	while (argv[n])
		n++;
	for (; args && *args; args++) {
		ck_assert_uint_lt(n, MAX_ARGS - 1);
		argv[n++] = *args;
	}
	memcpy(server->argv, argv, sizeof(argv));
	etcd_server_start_again(server);
	return server;
}

void etcd_server_kill(struct etcd_server *server)
{
	if (server->pid <= 0)
		return;
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

void etcd_server_stop(struct etcd_server *server)
{
	char command[128];
	if (!server)
		return;
	etcd_server_kill(server);
	snprintf(command, sizeof(command), "rm -rf '%s'", server->directory);
	ck_assert_int_eq(system(command), 0);
	free(server);
}

const char *etcd_server_url(const struct etcd_server *server)
{
	return server->url;
}
