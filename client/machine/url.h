/* Addresses of daemons: "tcp://host:port" and "tls://host:port" (an IPv6 address in brackets; ports 7223 and 7225 if
 * left out), and "unix:///path". */
#ifndef MILLRACE_CLIENT_MACHINE_URL_H
#define MILLRACE_CLIENT_MACHINE_URL_H

#include <stdbool.h>
#include <stddef.h>

#define URL_DEFAULT "tcp://127.0.0.1:7223"

enum { URL_MOST = 16 };

enum url_kind { URL_TCP, URL_TLS, URL_UNIX };

struct url {
	enum url_kind kind;
	char host[256]; /* of TCP and TLS; without brackets */
	char port[6];   /* of TCP and TLS; digits */
	char path[108]; /* of a Unix socket; absolute */
	char text[280]; /* as it was written */
};

struct url_list {
	struct url *urls;
	size_t n;
};

/* Addresses with commas or white space between them, at most URL_MOST; one that is no more than a host, or host:port,
 * is of the kind of that before it. NULL: those of $MILLRACE_URL, else the default.
 * MR_OK, or an error with its message. The list is to be finished in any case. */
int url_list_read(struct url_list *list, const char *text);
void url_list_finish(struct url_list *list);

/* Whether both addresses lead to the same place, as far as their texts show. */
bool url_is_same(const struct url *a, const struct url *b);

/* Reads one address. Returns NULL, or what is wrong with the text: static, for people. */
const char *url_parse(struct url *url, const char *text);

#endif
