/* Addresses to listen on: tcp://HOST:PORT, tls://HOST:PORT and unix:///PATH. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "config/config.h"
#include "config/tls_config.h"

static const char tcp_scheme[] = "tcp://", tls_scheme[] = "tls://", unix_scheme[] = "unix://";
static const char http_scheme[] = "http://", https_scheme[] = "https://";

/* Not allowed anywhere: an address ends up in lines of the log. */
static bool is_control(char byte)
{
	return (unsigned char)byte < ' ' || byte == 0x7f;
}

static bool has_control(const char *text)
{
	while (*text && !is_control(*text))
		text++;
	return *text != '\0';
}

static int refuse(char error[CONFIG_ERROR_BYTES], const char *url, const char *why)
{
	snprintf(error, CONFIG_ERROR_BYTES, "\"%.200s\" %s", url, why);
	for (; *error; error++) {
		if (is_control(*error))
			*error = '?';
	}
	return -1;
}

static int keep(struct address *address, enum address_scheme scheme, const char *host, size_t len, uint16_t port,
		char error[CONFIG_ERROR_BYTES])
{
	char *copy = strndup(host, len);
	if (!copy)
		return refuse(error, host, "cannot be kept: no memory");
	*address = (struct address){.scheme = scheme, .host = copy, .port = port};
	return 0;
}

static int parse_unix(struct address *address, const char *url, char error[CONFIG_ERROR_BYTES])
{
	const char *path = url + strlen(unix_scheme);
	size_t len = strlen(path);
	if (path[0] != '/' || len < 2)
		return refuse(error, url,
			      "is not a Unix socket's address; expected unix:///PATH with an absolute path");
	if (len >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return refuse(error, url, "is too long: a Unix socket's path has at most 107 bytes");
	return keep(address, ADDRESS_UNIX, path, len, 0, error);
}

static int parse_port(const char *text, uint16_t *port)
{
	unsigned number = 0;
	if (text[0] == '\0' || strlen(text) > 5)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		number = number * 10 + (unsigned)(*text - '0');
	}
	*port = (uint16_t)number;
	return number > 65535 ? -1 : 0;
}

/* HOST:PORT or [IPV6]:PORT, which stands at `host` in `url`. */
static int parse_host_port(struct address *address, enum address_scheme scheme, const char *url, const char *host,
			   char error[CONFIG_ERROR_BYTES])
{
	const char *colon = strrchr(host, ':'), *host_end = colon;
	bool bracketed = host[0] == '[';
	uint16_t port;
	if (!colon || parse_port(colon + 1, &port) < 0)
		return refuse(error, url, "lacks a port; expected HOST:PORT with a port of 0 to 65535");
	if (bracketed) {
		host++;
		host_end = colon - 1;
		if (host_end <= host || *host_end != ']')
			return refuse(error, url, "has no ']' before the port; expected [IPV6]:PORT");
	}
	if (host == host_end)
		return refuse(error, url, "lacks a host; expected 127.0.0.1, or 0.0.0.0 for every interface");
	if (!bracketed && memchr(host, ':', (size_t)(host_end - host)))
		return refuse(error, url, "has an IPv6 address without brackets; expected [IPV6]:PORT");
	if (memchr(host, '/', (size_t)(host_end - host)))
		return refuse(error, url, "is not an address; expected HOST:PORT");
	return keep(address, scheme, host, (size_t)(host_end - host), port, error);
}

int address_parse(struct address *address, const char *url, char error[CONFIG_ERROR_BYTES])
{
	if (has_control(url))
		return refuse(error, url,
			      "has a control character; expected tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH");
	if (strncmp(url, unix_scheme, strlen(unix_scheme)) == 0)
		return parse_unix(address, url, error);
	if (strncmp(url, tcp_scheme, strlen(tcp_scheme)) == 0)
		return parse_host_port(address, ADDRESS_TCP, url, url + strlen(tcp_scheme), error);
	if (strncmp(url, tls_scheme, strlen(tls_scheme)) == 0)
		return parse_host_port(address, ADDRESS_TLS, url, url + strlen(tls_scheme), error);
	return refuse(error, url, "is not an address; expected tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH");
}

int address_parse_http(struct address *address, const char *text, char error[CONFIG_ERROR_BYTES])
{
	if (has_control(text))
		return refuse(error, text, "has a control character; expected HOST:PORT or https://HOST:PORT");
	if (strncmp(text, http_scheme, strlen(http_scheme)) == 0)
		return parse_host_port(address, ADDRESS_TCP, text, text + strlen(http_scheme), error);
	if (strncmp(text, https_scheme, strlen(https_scheme)) == 0)
		return parse_host_port(address, ADDRESS_TLS, text, text + strlen(https_scheme), error);
	if (strstr(text, "://"))
		return refuse(error, text, "has a scheme that is not HTTP's; expected HOST:PORT or https://HOST:PORT");
	return parse_host_port(address, ADDRESS_TCP, text, text, error);
}

void address_finish(struct address *address)
{
	free(address->host);
	tls_settings_finish(&address->tls);
	*address = (struct address){.host = NULL};
}

bool address_is_local(const struct address *address)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (address->scheme == ADDRESS_UNIX || strcmp(address->host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, address->host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, address->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}
