/* The configuration: a YAML text in, a struct out. Pure but for config_load(), which reads the file. */
#ifndef MILLRACE_CONFIG_CONFIG_H
#define MILLRACE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/limits.h"

/* A channel has no kind only between config_set() and config_check(). */
enum config_kind { CONFIG_UNBUFFERED, CONFIG_BOUNDED, CONFIG_DROPPING, CONFIG_SLIDING, CONFIG_PROMISE, CONFIG_NO_KIND };

struct config_channel {
	char *name;
	enum config_kind kind;
	uint64_t capacity;       /* unbuffered 0, promise 1 */
	uint32_t max_waiters;    /* 0: the limits' */
	uint32_t max_deliveries; /* 0: any number */
	bool durable;            /* it outlives the daemon: with a journal alone */
	char *dead_letter;       /* with it: the name of another, bounded one; else NULL */
};

enum client_certificates {
	CLIENT_CERTIFICATES_DEFAULT,
	CLIENT_CERTIFICATES_NONE,
	CLIENT_CERTIFICATES_OPTIONAL,
	CLIENT_CERTIFICATES_REQUIRED
};

struct tls_settings {     /* NULL: not written */
	char *cert, *key; /* PEM files: the daemon's certificate, with its chain, and the key */
	char *ca;         /* PEM file: who signs clients' certificates */
	enum client_certificates client_certificates; /* by default optional where there is a ca */
};

enum config_log_level {
	CONFIG_LOG_ERROR,
	CONFIG_LOG_WARNING,
	CONFIG_LOG_INFO
}; /* what is told: these, and those before */

enum address_scheme { ADDRESS_TCP, ADDRESS_TLS, ADDRESS_UNIX };

struct address {
	enum address_scheme scheme;
	char *host; /* tcp, tls: a literal address or a name, without brackets; unix: the path */
	uint16_t port;
	struct tls_settings tls; /* of a listener; see config_tls() */
};

enum right { RIGHT_PUT, RIGHT_TAKE, RIGHT_MANAGE, RIGHT_OBSERVE, RIGHT_COUNT };

struct config_token { /* what is kept of one: see config/users_config.h */
	uint8_t salt[TOKEN_SALT_BYTES];
	uint8_t hash[TOKEN_HASH_BYTES];
};

struct config_texts {
	char **items;
	size_t n;
};

struct config_user {
	char *name;
	struct config_token *tokens;
	size_t n_tokens;
	struct config_texts certificates; /* "CN=a,O=b" (a whole subject, RFC 2253), "DNS:…", "URI:…", "email:…" */
	uint32_t *uids;                   /* of peers on Unix sockets */
	size_t n_uids;
	struct config_texts rights[RIGHT_COUNT]; /* globs of channels' names */
	uint64_t max_connections, max_requests_per_s, max_inflight, max_memory,
		max_channels; /* 0: no limit of their own */
};

enum config_tap_state { CONFIG_TAP_RUN, CONFIG_TAP_PAUSE, CONFIG_TAP_MUTE, CONFIG_TAP_SOLO };

struct config_tap {
	char *from, *to; /* channels of the configuration */
	char *match;     /* JSON, as of the protocol's tap; NULL: it carries all */
	bool close;
	enum config_tap_state state;
};

/* Where durable channels are kept. */
struct journal_config {
	char *path; /* absolute, without a slash at its end; NULL: nowhere, and no channel is durable */
	uint64_t segment, max_batch; /* bytes */
	uint64_t max_delay_us;
};

/* Who owns a group of the cluster while it is up. */
struct config_group {
	char *name, *daemon;
};

/* Several daemons, one service. Texts are NULL where nothing is written. */
struct cluster_config {
	bool is_there;    /* else this daemon is alone */
	char *name;       /* of this daemon */
	char **endpoints; /* etcd's: "http://host:2379" or "https://host:2379" */
	size_t n_endpoints;
	char *prefix;         /* of all keys, such as "/millrace": without a slash at its end */
	char *advertise;      /* where clients find this daemon: "tcp://host:7223" or "tls://host:7225" */
	char *advertise_http; /* "http://host:7224" or "https://host:7224" */
	uint64_t ttl_ms;      /* whole seconds */
	struct config_group *groups;
	size_t n_groups;
	struct tls_settings tls; /* towards etcd: ca, cert, key */
	char *user, *password_file;
};

struct config {
	struct address *listen;
	size_t n_listen;
	bool listen_is_default; /* nobody wrote it: sockets that are handed over take its place */
	bool has_http;          /* false: `http: none` */
	bool http_is_default;   /* nobody wrote it: the daemon goes on without HTTP if that address is taken */
	struct address http;
	char **http_hosts; /* names, beside those of loopback, by which HTTP may be asked */
	size_t n_http_hosts;
	bool log_json; /* the log is lines of JSON */
	enum config_log_level log_level;
	uint32_t spin_us;          /* how long the loop polls before it blocks */
	bool insecure;             /* may listen beyond loopback without TLS and authentication */
	char *user;                /* the account that the daemon becomes once it listens; NULL: it stays what it is */
	struct tls_settings tls;   /* for every listener that does not say */
	char *users_file;          /* NULL: there is none */
	struct config_user *users; /* in the order of the file; without any, everybody may do everything */
	size_t n_users;
	struct journal_config journal;
	struct cluster_config cluster;
	struct limits limits;
	struct config_channel *channels; /* in the order of the file */
	size_t n_channels;
	struct config_tap *taps; /* in the order of the file */
	size_t n_taps;
};

enum { CONFIG_ERROR_BYTES = 512 };

/* All of these return 0, or -1 with one line in `error`: "FILE:LINE:COLUMN: what is wrong; what was expected".
 * On -1 *config is as it was. */

/* The built-in defaults: tcp://127.0.0.1:7223, HTTP 127.0.0.1:7224, no channels. -1: no memory. */
int config_init(struct config *config);
void config_finish(struct config *config);

/* Reads a whole text over the defaults into *config, which must have been initialised. `name` stands for it in errors.
 */
int config_parse(struct config *config, const char *text, size_t len, const char *name, char error[CONFIG_ERROR_BYTES]);
int config_load(struct config *config, const char *path, char error[CONFIG_ERROR_BYTES]);

/* Adds the users of users_file, if there is one. Like config_load(), it refuses a file that everybody can read and that
 * has secrets in it. */
int config_load_users(struct config *config, char error[CONFIG_ERROR_BYTES]);

/* The command line's overrides: --listen (the first replaces what the file says, the next ones are added), --http
 * ADDR|none, --set key=value where key is a dotted path ("limits.max_frame", "channels.jobs.kind", "insecure", "http")
 * and value is YAML. */
int config_set_listen(struct config *config, const char *url, bool first, char error[CONFIG_ERROR_BYTES]);
int config_set_http(struct config *config, const char *address, char error[CONFIG_ERROR_BYTES]);
int config_set(struct config *config, const char *assignment, char error[CONFIG_ERROR_BYTES]);

/* As config_set(), with `name` instead of the --set in the errors: where the assignment comes from. */
int config_set_from(struct config *config, const char *name, const char *assignment, char error[CONFIG_ERROR_BYTES]);

const char *config_library_version(void); /* libyaml's */

/* What only the whole can tell: listeners beyond loopback need TLS and users, or `insecure: true`; channels a whole
 * definition and the channels that their dead letters go to, limits must go together. Call it last. */
int config_check(const struct config *config, char error[CONFIG_ERROR_BYTES]);

/* The order in which channels have to be created, that of their dead letters before each: n_channels indexes, to be
 * freed. NULL: one cannot be, or no memory. */
size_t *config_channel_order(const struct config *config, char error[CONFIG_ERROR_BYTES]);

/* What is in force for a listener: its own, or else the configuration's. The texts are theirs. */
struct tls_settings config_tls(const struct config *config, const struct address *address);

bool cluster_config_equal(const struct cluster_config *one, const struct cluster_config *other);

const char *right_name(enum right right); /* "put" */

/* "tcp://host:port" (IPv6 in brackets), "tls://host:port" or "unix:///path"; and HTTP's: "host:port",
 * "http://host:port" or "https://host:port", whose scheme becomes ADDRESS_TCP or ADDRESS_TLS. The host is allocated. */
int address_parse(struct address *address, const char *url, char error[CONFIG_ERROR_BYTES]);
int address_parse_http(struct address *address, const char *text, char error[CONFIG_ERROR_BYTES]);
void address_finish(struct address *address);
bool address_is_local(const struct address *address); /* loopback literal, "localhost", or a Unix socket */

#endif
