/* Addresses of daemons. Whatever is not exactly an address is refused, with the reason. */
#define _GNU_SOURCE /* memmem() */
#include "client/machine/url.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/millrace.h"
#include "client/machine/failure.h"

#define DEFAULT_PORT     "7223"
#define DEFAULT_TLS_PORT "7225"
#define SEPARATORS       ", \t\r\n"

/* Copies into an array of `cap` bytes and terminates it; false if it is empty or does not fit. */
static bool copy(char *to, size_t cap, const char *from, size_t len)
{
	if (len == 0 || len >= cap)
		return false;
	memcpy(to, from, len);
	to[len] = '\0';
	return true;
}

static bool is_port(const char *text, size_t len)
{
	unsigned number = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (unsigned)(text[i] - '0');
	}
	return number >= 1 && number <= 65535;
}

/* ":port", or nothing. */
static const char *parse_port(struct url *url, const char *text, size_t len)
{
	if (len == 0) {
		strcpy(url->port, url->kind == URL_TLS ? DEFAULT_TLS_PORT : DEFAULT_PORT);
		return NULL;
	}
	if (*text != ':')
		return "after the brackets only :port may come";
	if (!is_port(text + 1, len - 1))
		return "the port is a number from 1 to 65535";
	copy(url->port, sizeof url->port, text + 1, len - 1);
	return NULL;
}

static const char *parse_tcp(struct url *url, enum url_kind kind, const char *text)
{
	size_t len = strcspn(text, "/"), host_len;
	const char *host = text, *rest;

	url->kind = kind;
	if (text[len] == '/' && text[len + 1] != '\0')
		return "nothing may follow host:port";
	if (*text == '[') {
		const char *bracket = memchr(text, ']', len);

		if (!bracket)
			return "the bracket is not closed";
		host = text + 1;
		host_len = (size_t)(bracket - host);
		rest = bracket + 1;
	} else {
		const char *colon = memchr(text, ':', len);

		host_len = colon ? (size_t)(colon - text) : len;
		rest = text + host_len;
		if (colon && memchr(colon + 1, ':', len - host_len - 1))
			return "an IPv6 address is written in brackets: tcp://[::1]:7223";
	}
	if (!copy(url->host, sizeof url->host, host, host_len))
		return host_len ? "the host is too long" : "there is no host";
	return parse_port(url, rest, len - (size_t)(rest - text));
}

static const char *parse_unix(struct url *url, const char *text)
{
	url->kind = URL_UNIX;
	if (*text != '/')
		return "a Unix socket has an absolute path: unix:///run/millrace/millrace.sock";
	if (!copy(url->path, sizeof url->path, text, strlen(text)))
		return "the path is longer than a Unix socket's may be (107 bytes)";
	return NULL;
}

const char *url_parse(struct url *url, const char *text)
{
	*url = (struct url){0};
	if (!copy(url->text, sizeof url->text, text, strlen(text)))
		return "an address is tcp://host:port, tls://host:port or unix:///path";
	if (strncmp(text, "tcp://", 6) == 0)
		return parse_tcp(url, URL_TCP, text + 6);
	if (strncmp(text, "tls://", 6) == 0)
		return parse_tcp(url, URL_TLS, text + 6);
	if (strncmp(text, "unix://", 7) == 0)
		return parse_unix(url, text + 7);
	return "an address is tcp://host:port, tls://host:port or unix:///path";
}

bool url_is_same(const struct url *a, const struct url *b)
{
	return a->kind == b->kind && strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0 &&
	       strcmp(a->path, b->path) == 0;
}

/* What an address begins with that says no kind of its own. */
static const char *kind_before(const struct url_list *list, const char *text, size_t len)
{
	const struct url *before = &list->urls[list->n - 1];

	if (list->n == 0 || before->kind == URL_UNIX || memmem(text, len, "://", 3))
		return "";
	return before->kind == URL_TLS ? "tls://" : "tcp://";
}

/* One address of the text, which is `len` long. */
static int add(struct url_list *list, const char *text, size_t len)
{
	char one[sizeof list->urls->text];
	const char *fault = "it is too long";

	if (list->n == URL_MOST)
		return fail(MR_EARGUMENT, "these are more than %d addresses", URL_MOST);
	if ((size_t)snprintf(one, sizeof one, "%s%.*s", kind_before(list, text, len),
			     (int)(len < sizeof one ? len : sizeof one), text) < sizeof one)
		fault = url_parse(&list->urls[list->n], one);
	if (fault)
		return fail(MR_EARGUMENT, "\"%.*s\" is not the address of a daemon: %s", (int)(len < 200 ? len : 200),
			    text, fault);
	list->n++;
	return MR_OK;
}

int url_list_read(struct url_list *list, const char *text)
{
	int status = MR_OK;

	*list = (struct url_list){.urls = calloc(URL_MOST, sizeof(struct url))};
	if (!list->urls)
		return fail(MR_EMEMORY, "not enough memory for addresses");
	if (!text)
		text = getenv("MILLRACE_URL");
	if (!text || !text[strspn(text, SEPARATORS)])
		text = URL_DEFAULT;
	while (status == MR_OK && *(text += strspn(text, SEPARATORS))) {
		size_t len = strcspn(text, SEPARATORS);

		status = add(list, text, len);
		text += len;
	}
	return status;
}

void url_list_finish(struct url_list *list)
{
	free(list->urls);
	*list = (struct url_list){.urls = NULL};
}
