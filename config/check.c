/* What only the whole configuration can tell. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/channels.h"
#include "config/config.h"

static bool same_address(const struct address *a, const struct address *b)
{
	return a->scheme == b->scheme && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* As it is written; HTTP's has no scheme. */
static const char *address_text(char text[300], const struct address *address, const char *scheme)
{
	if (address->scheme == ADDRESS_UNIX)
		snprintf(text, 300, "unix://%.255s", address->host);
	else
		snprintf(text, 300, strchr(address->host, ':') ? "%s[%.255s]:%u" : "%s%.255s:%u", scheme, address->host, address->port);
	return text;
}

static int check_open(const struct config *config, const struct address *address, const char *key, const char *scheme,
		      char error[CONFIG_ERROR_BYTES])
{
	char text[300];
	if (config->insecure || address_is_local(address))
		return 0;
	snprintf(
	    error, CONFIG_ERROR_BYTES,
	    "%s: %.200s can be reached from other machines, without TLS and without login; expected 127.0.0.1, [::1] or a Unix socket, or "
	    "`insecure: true` (--set insecure=true) if everyone who can reach it may do everything",
	    key, address_text(text, address, scheme));
	return -1;
}

static int check_addresses(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	char text[300];
	for (size_t i = 0; i < config->n_listen; i++) {
		const struct address *address = &config->listen[i];
		bool any_port = address->scheme == ADDRESS_TCP && address->port == 0;
		if (check_open(config, address, "listen", "tcp://", error) < 0)
			return -1;
		for (size_t j = 0; j < i; j++) {
			if (any_port || !same_address(address, &config->listen[j]))
				continue;
			snprintf(error, CONFIG_ERROR_BYTES, "listen: %s is there twice; expected it once",
				 address_text(text, address, "tcp://"));
			return -1;
		}
		if (config->has_http && !config->http_is_default && !any_port && same_address(address, &config->http)) {
			snprintf(error, CONFIG_ERROR_BYTES, "http: %s is listened on already; expected another port, or none",
				 address_text(text, address, ""));
			return -1;
		}
	}
	return config->has_http ? check_open(config, &config->http, "http", "", error) : 0;
}

static int check_channels(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	for (size_t i = 0; i < config->n_channels; i++) {
		const char *fault = channels_fault(&config->channels[i]);
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
		snprintf(error, CONFIG_ERROR_BYTES, "channels: %zu of them; expected at most limits.max_channels, which is %llu",
			 config->n_channels, (unsigned long long)config->limits.max_channels);
		return -1;
	}
	return 0;
}

int config_check(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	if (check_addresses(config, error) < 0 || check_channels(config, error) < 0)
		return -1;
	if (config->limits.max_frame > config->limits.max_memory) {
		snprintf(error, CONFIG_ERROR_BYTES, "limits: max_memory is less than max_frame; expected room for one frame at least");
		return -1;
	}
	return 0;
}
