/* Sends back what it gets: the floor under every broker. Listens on a port of 127.0.0.1; one thread, epoll. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BYTES = 256 * 1024 };

static void echo(int fd, char *bytes)
{
	ssize_t n = recv(fd, bytes, BYTES, MSG_DONTWAIT);
	if (n <= 0) {
		close(fd);
		return;
	}
	for (ssize_t sent = 0; sent < n;) {
		ssize_t m = send(fd, bytes + sent, (size_t)(n - sent), MSG_NOSIGNAL);
		if (m <= 0)
			return;
		sent += m;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1, listening = socket(AF_INET, SOCK_STREAM, 0), epoll_fd = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listening}, events[256];
	char *bytes = malloc(BYTES);
	if (argc != 2 || !bytes)
		return 2;
	address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listening, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listening, 4096) < 0)
		return 1;
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listening, &event);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, 256, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd != listening) {
				echo(events[i].data.fd, bytes);
				continue;
			}
			event.data.fd = accept(listening, NULL, NULL);
			setsockopt(event.data.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event);
		}
	}
}
