/* Addresses of daemons: "tcp://host:port" (an IPv6 address in brackets; port 7223 if left out) and "unix:///path". Pure. */
#ifndef MILLRACE_CLIENT_URL_H
#define MILLRACE_CLIENT_URL_H

#define URL_DEFAULT "tcp://127.0.0.1:7223"

enum url_kind { URL_TCP, URL_UNIX };

struct url {
	enum url_kind kind;
	char host[256]; /* of TCP; without brackets */
	char port[6];   /* of TCP; digits */
	char path[108]; /* of a Unix socket; absolute */
};

/* Returns NULL, or what is wrong with the text: static, for people. */
const char *url_parse(struct url *url, const char *text);

#endif
