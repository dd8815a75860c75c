/* Who gets in: the users, the certificates of the listeners, the account that the daemon runs as; and the lines in the
 * log that say so. */
#include "daemon/server/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/access/privileges.h"
#include "daemon/journal/disk.h"
#include "daemon/server/server_state.h"
#include "daemon/session/sweeps.h"

/* A certificate that clients will refuse is used all the same: it may be this machine's clock that is wrong. */
static void warn_of_date(const struct address *address, const struct tls_context *context)
{
	char text[TLS_ERROR_BYTES];
	if (tls_context_is_out_of_date(context, time(NULL), text))
		log_warning("%s:%u: %s", address->host, address->port, text);
}

/* The context of an address that speaks TLS; NULL for others. -1: after a line in the log. */
static int load_certificate(const struct config *config, const struct address *address, struct tls_context **context)
{
	char error[TLS_ERROR_BYTES];
	if (address->scheme != ADDRESS_TLS)
		return 0;
	struct tls_settings settings = config_tls(config, address);
	if (!(*context = tls_context_create(&settings, error))) {
		log_error("%s", error);
		return -1;
	}
	warn_of_date(address, *context);
	return 0;
}

int server_start_access(struct server *server)
{
	const struct config *config = &server->config;
	bool has_secrets = config->n_users > 0;
	if (!(server->sessions.users = users_create()) || users_apply(server->sessions.users, config) < 0) {
		log_error("cannot start: no memory for users");
		return -1;
	}
	users_set_quotas(server->sessions.users, &server->broker);
	for (size_t i = 0; i < config->n_listen; i++) {
		if (load_certificate(config, &config->listen[i], &server->tls[i]) < 0)
			return -1;
		has_secrets = has_secrets || server->tls[i];
	}
	if (config->has_http && load_certificate(config, &config->http, &server->http_tls) < 0)
		return -1;
	has_secrets = has_secrets || server->http_tls;
	if (has_secrets)
		privileges_allow_dumps(false);
	return 0;
}

/* What the account has to have is its own: the sockets' files, and the journal's folder, which only root can make where
 * it may have to be. */
static int give_to(const struct server *server, uid_t uid, gid_t gid)
{
	char why[LISTENER_ERROR_BYTES], disk[DISK_ERROR_BYTES];
	if (listener_give(server->listeners, uid, gid, why) < 0) {
		log_error("user: %s", why);
		return -1;
	}
	if (server->config.journal.path && disk_make(server->config.journal.path, uid, gid, disk) < 0) {
		log_error("the journal: %s", disk);
		return -1;
	}
	return 0;
}

int server_drop_privileges(const struct server *server)
{
	char error[PRIVILEGES_ERROR_BYTES];
	uid_t uid;
	gid_t gid;
	if (!server->config.user)
		return 0;
	if (privileges_find(server->config.user, &uid, &gid, error) < 0) {
		log_error("%s", error);
		return -1;
	}
	if (geteuid() == 0 && give_to(server, uid, gid) < 0)
		return -1;
	if (privileges_become(server->config.user, error) < 0) {
		log_error("%s", error);
		return -1;
	}
	log_info("running as %s", server->config.user);
	return 0;
}

/* The address of before that is the same, whose context is changed; or none. */
static struct tls_context *context_of(const struct server *server, const struct address *address)
{
	for (size_t i = 0; i < server->config.n_listen; i++) {
		const struct address *old = &server->config.listen[i];
		if (server->tls[i] && old->port == address->port && strcmp(old->host, address->host) == 0)
			return server->tls[i];
	}
	return NULL;
}

static void reload_certificate(const struct config *fresh, const struct address *address, struct tls_context *context)
{
	char error[TLS_ERROR_BYTES];
	struct tls_settings settings = config_tls(fresh, address);
	if (tls_context_reload(context, &settings, error) < 0)
		log_error("%s:%u keeps the certificate that it has: %s", address->host, address->port, error);
	else
		warn_of_date(address, context);
}

static void reload_certificates(struct server *server, const struct config *fresh)
{
	for (size_t i = 0; i < fresh->n_listen; i++) {
		const struct address *address = &fresh->listen[i];
		struct tls_context *context = address->scheme == ADDRESS_TLS ? context_of(server, address) : NULL;
		if (context)
			reload_certificate(fresh, address, context);
	}
	if (server->http_tls && fresh->has_http && fresh->http.scheme == ADDRESS_TLS)
		reload_certificate(fresh, &fresh->http, server->http_tls);
}

int server_reload_access(struct server *server, const struct config *fresh)
{
	bool had_users = users_exist(server->sessions.users);
	if (users_apply(server->sessions.users, fresh) < 0) {
		log_error("not reloaded, and everything stays as it was: no memory for users");
		return -1;
	}
	users_set_quotas(server->sessions.users, &server->broker);
	if (fresh->n_users > 0)
		privileges_allow_dumps(false);
	reload_certificates(server, fresh);
	session_users_changed(&server->sessions, had_users);
	return 0;
}

void server_finish_access(struct server *server)
{
	for (size_t i = 0; i < MAX_LISTENERS; i++)
		tls_context_destroy(server->tls[i]);
	tls_context_destroy(server->http_tls);
	users_destroy(server->sessions.users);
	privileges_allow_dumps(true); /* the secrets are gone */
}

/* -- The log -- */

static const char *who(const struct config *config, const struct address *address)
{
	bool is_tls = address->scheme == ADDRESS_TLS;
	enum client_certificates certificates =
		is_tls ? config_tls(config, address).client_certificates : CLIENT_CERTIFICATES_NONE;
	if (config->n_users > 0) {
		if (address->scheme == ADDRESS_UNIX)
			return "users, by token or uid";
		if (certificates == CLIENT_CERTIFICATES_REQUIRED)
			return "users, by certificate, which is required, or token";
		return certificates == CLIENT_CERTIFICATES_OPTIONAL ? "users, by certificate or token"
								    : "users, by token";
	}
	if (certificates == CLIENT_CERTIFICATES_REQUIRED)
		return "everybody with a certificate, who may do everything";
	if (address->scheme == ADDRESS_UNIX)
		return "the socket's owner and group, who may do everything";
	return address_is_local(address) ? "everybody on this machine, who may do everything"
					 : "EVERYBODY WHO CAN REACH IT, who may do everything";
}

void server_log_access(const struct server *server)
{
	const struct config *config = &server->config;
	size_t n_listen = server->listen_gave_way ? 0 : config->n_listen;
	for (size_t i = 0; i < n_listen; i++) {
		const struct address *address = &config->listen[i];
		bool is_unix = address->scheme == ADDRESS_UNIX, is_open = !address_is_local(address);
		bool is_plain = address->scheme == ADDRESS_TCP;
		char text[300];
		if (is_unix)
			snprintf(text, sizeof(text), "unix://%s", address->host);
		else
			snprintf(text, sizeof(text), strchr(address->host, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
				 is_plain ? "tcp" : "tls", address->host, address->port);
		log_line(is_open && (is_plain || config->n_users == 0) ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
			 "open: %s, to %s%s", text, who(config, address),
			 is_plain && is_open ? "; what is said there can be read on its way" : "");
	}
	if (config->n_users > 0)
		log_info("users: %zu", config->n_users);
}
