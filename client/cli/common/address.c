#define _GNU_SOURCE /* memmem */
#include "client/cli/common/address.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/machine/url.h"

enum { PATIENCE_MS = 1000, ANSWER_BYTES = 1024 };

enum speaker { SPEAKER_UNKNOWN, SPEAKER_HTTP, SPEAKER_TLS, SPEAKER_DAEMON };

static int connect_to(const struct url *url)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	struct addrinfo *found;
	int fd = -1;

	if (getaddrinfo(url->host, url->port, &hints, &found) != 0)
		return -1;
	for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		if (connect(fd, at->ai_addr, at->ai_addrlen) < 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(found);
	return fd;
}

/* Asks as a client would, without TLS: each of those whom one may meet gives himself away by his first bytes. */
static enum speaker ask(const struct url *url)
{
	static const char question[] = "\0\0\0\046{\"id\":1,\"op\":\"hello\",\"protocol\":1    }";
	char answer[ANSWER_BYTES];
	int fd = connect_to(url);
	ssize_t n = -1;

	if (fd >= 0 && send(fd, question, sizeof question - 1, MSG_NOSIGNAL) > 0)
		n = recv(fd, answer, sizeof answer, 0);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return SPEAKER_UNKNOWN;
	if ((n >= 5 && memcmp(answer, "HTTP/", 5) == 0) || memmem(answer, (size_t)n, "speaks HTTP", 11))
		return SPEAKER_HTTP;
	if (answer[0] == 0x15 || memmem(answer, (size_t)n, "tls://", 6)) /* an alert; or a daemon says so in plain */
		return SPEAKER_TLS;
	return answer[0] == 0 && memmem(answer, (size_t)n, "\"status\"", 8) ? SPEAKER_DAEMON : SPEAKER_UNKNOWN;
}

/* What the library's words tell by themselves; else who is there is asked. */
static enum speaker find_speaker(const struct url *url, const char *said)
{
	if (strstr(said, "speaks HTTP"))
		return SPEAKER_HTTP;
	return strstr(said, "tls://") && url->kind != URL_TLS ? SPEAKER_TLS : ask(url);
}

const char *address_advice(const char *address, const char *said, char *text, size_t size)
{
	struct url url;
	const char *open = "", *close = "";

	text[0] = '\0';
	if (strchr(address, ',') || url_parse(&url, address) || url.kind == URL_UNIX)
		return text;
	if (strchr(url.host, ':')) {
		open = "[";
		close = "]";
	}
	switch (find_speaker(&url, said)) {
	case SPEAKER_HTTP:
		snprintf(text, size,
			 "; what is there is an HTTP server, perhaps millraced's own: its protocol has another "
			 "address, by default "
			 "tcp://%s%s%s:7223",
			 open, url.host, close);
		break;
	case SPEAKER_TLS:
		if (url.kind != URL_TLS)
			snprintf(text, size, "; what is there speaks TLS: connect with tls://%s%s%s:%s", open, url.host,
				 close, url.port);
		break;
	case SPEAKER_DAEMON:
		if (url.kind == URL_TLS)
			snprintf(text, size,
				 "; what is there is a millraced that speaks without TLS: connect with tcp://%s%s%s:%s",
				 open, url.host, close, url.port);
		break;
	case SPEAKER_UNKNOWN:
		break;
	}
	return text;
}
