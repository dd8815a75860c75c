/* What only the whole configuration can tell. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/channels_config.h"
#include "config/cluster_config.h"
#include "config/taps_config.h"
#include "config/config.h"
#include "config/journal_config.h"
#include "config/tls_config.h"
#include "config/users_config.h"

static bool same_address(const struct address *a, const struct address *b)
{
	bool same_family = (a->scheme == ADDRESS_UNIX) == (b->scheme == ADDRESS_UNIX);
	return same_family && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* As it is written; HTTP's without TLS has no scheme. */
static const char *address_text(char text[300], const struct address *address, const char *scheme)
{
	if (address->scheme == ADDRESS_UNIX)
		snprintf(text, 300, "unix://%.255s", address->host);
	else
		snprintf(text, 300, strchr(address->host, ':') ? "%s[%.255s]:%u" : "%s%.255s:%u", scheme, address->host,
			 address->port);
	return text;
}

static int check_open(const struct config *config, const struct address *address, const char *key, const char *scheme,
		      char error[CONFIG_ERROR_BYTES])
{
	char text[300];
	if (config->insecure || address_is_local(address))
		return 0;
	bool has_tls = address->scheme == ADDRESS_TLS, has_login = config->n_users > 0;
	if (has_tls && (has_login || config_tls(config, address).client_certificates == CLIENT_CERTIFICATES_REQUIRED))
		return 0;
	const char *lacking = has_tls ? "without login" : has_login ? "without TLS" : "without TLS and without login";
	snprintf(error, CONFIG_ERROR_BYTES,
		 "%s: %.200s can be reached from other machines, %s; expected %s:// and users, or 127.0.0.1, [::1] or "
		 "a Unix socket, or "
		 "`insecure: true` (--set insecure=true) if that is meant",
		 key, address_text(text, address, scheme), lacking, strcmp(key, "http") == 0 ? "https" : "tls");
	return -1;
}

static const char *scheme_of(const struct address *address)
{
	return address->scheme == ADDRESS_TLS ? "tls://" : "tcp://";
}

static int check_http(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	char text[300];
	const char *scheme = config->http.scheme == ADDRESS_TLS ? "https://" : "";
	const char *fault = tls_config_fault(config, &config->http);
	if (!fault)
		return check_open(config, &config->http, "http", scheme, error);
	snprintf(error, CONFIG_ERROR_BYTES, "http: %.200s: %s", address_text(text, &config->http, scheme), fault);
	return -1;
}

static int check_addresses(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	char text[300];
	for (size_t i = 0; i < config->n_listen; i++) {
		const struct address *address = &config->listen[i];
		bool any_port = address->scheme != ADDRESS_UNIX && address->port == 0;
		const char *fault = tls_config_fault(config, address);
		if (fault) {
			snprintf(error, CONFIG_ERROR_BYTES, "listen: %.200s: %s",
				 address_text(text, address, scheme_of(address)), fault);
			return -1;
		}
		if (check_open(config, address, "listen", scheme_of(address), error) < 0)
			return -1;
		for (size_t j = 0; j < i; j++) {
			if (any_port || !same_address(address, &config->listen[j]))
				continue;
			snprintf(error, CONFIG_ERROR_BYTES, "listen: %s is there twice; expected it once",
				 address_text(text, address, scheme_of(address)));
			return -1;
		}
		if (config->has_http && !config->http_is_default && !any_port && same_address(address, &config->http)) {
			snprintf(error, CONFIG_ERROR_BYTES,
				 "http: %s is listened on already; expected another port, or none",
				 address_text(text, address, ""));
			return -1;
		}
	}
	return config->has_http ? check_http(config, error) : 0;
}

static int check_channels(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	for (size_t i = 0; i < config->n_channels; i++) {
		const char *fault = channels_config_fault(&config->channels[i]);
		if (!fault)
			continue;
		snprintf(error, CONFIG_ERROR_BYTES, "channels: \"%.128s\": %s", config->channels[i].name, fault);
		return -1;
	}
	size_t *order = config_channel_order(config, error);
	if (!order)
		return -1;
	free(order);
	if (config->n_channels > config->limits.max_channels) {
		snprintf(error, CONFIG_ERROR_BYTES,
			 "channels: %zu of them; expected at most limits.max_channels, which is %llu",
			 config->n_channels, (unsigned long long)config->limits.max_channels);
		return -1;
	}
	return 0;
}

int config_check(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	if (check_addresses(config, error) < 0 || check_channels(config, error) < 0 ||
	    taps_config_check(config, error) < 0 || users_config_check(config, error) < 0 ||
	    journal_config_check(config, error) < 0 || cluster_config_check(config, error) < 0)
		return -1;
	if (config->limits.max_frame > config->limits.max_memory) {
		snprintf(error, CONFIG_ERROR_BYTES,
			 "limits: max_memory is less than max_frame; expected room for one frame at least");
		return -1;
	}
	return 0;
}
