/* What only the whole configuration can tell. */
#include <stdio.h>
#include <string.h>

#include "config/channels.h"
#include "config/config.h"

static bool same_address(const struct address *a, const struct address *b)
{
	return a->scheme == b->scheme && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static int check_open(const struct config *config, const struct address *address, const char *what, char error[CONFIG_ERROR_BYTES])
{
	if (config->insecure || address_is_local(address))
		return 0;
	snprintf(error, CONFIG_ERROR_BYTES,
		 "%s on %.255s can be reached from other machines, without TLS and without login; expected 127.0.0.1, ::1 or a Unix socket, or "
		 "`insecure: true` (--set insecure=true) if everyone there may do everything",
		 what, address->host);
	return -1;
}

static int check_addresses(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	for (size_t i = 0; i < config->n_listen; i++) {
		const struct address *address = &config->listen[i];
		if (check_open(config, address, "listening", error) < 0)
			return -1;
		for (size_t j = 0; j < i; j++) {
			bool any_port = address->scheme == ADDRESS_TCP && address->port == 0;
			if (any_port || !same_address(address, &config->listen[j]))
				continue;
			snprintf(error, CONFIG_ERROR_BYTES, "%.255s is listened on twice; expected different addresses", address->host);
			return -1;
		}
	}
	return config->has_http ? check_open(config, &config->http, "HTTP", error) : 0;
}

static int check_channels(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	for (size_t i = 0; i < config->n_channels; i++) {
		const char *fault = channels_fault(&config->channels[i]);
		if (!fault)
			continue;
		snprintf(error, CONFIG_ERROR_BYTES, "channel \"%.128s\": %s", config->channels[i].name, fault);
		return -1;
	}
	if (config->n_channels > config->limits.max_channels) {
		snprintf(error, CONFIG_ERROR_BYTES, "there are %zu channels; expected at most limits.max_channels, which is %llu", config->n_channels,
			 (unsigned long long)config->limits.max_channels);
		return -1;
	}
	return 0;
}

int config_check(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	if (check_addresses(config, error) < 0 || check_channels(config, error) < 0)
		return -1;
	if (config->limits.max_frame > config->limits.max_memory) {
		snprintf(error, CONFIG_ERROR_BYTES, "limits.max_frame is more than limits.max_memory; expected room for at least one frame");
		return -1;
	}
	return 0;
}
