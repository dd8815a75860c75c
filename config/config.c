/* The configuration as a whole: its life. Every change is made to a copy, which takes the old one's place when all of
 * it is good. */
#include "config/config_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/channels_config.h"
#include "config/cluster_config.h"
#include "config/journal_config.h"
#include "config/observe.h"
#include "config/taps_config.h"
#include "config/text.h"
#include "config/tls_config.h"
#include "config/users_config.h"

int config_refuse_memory(char error[CONFIG_ERROR_BYTES])
{
	snprintf(error, CONFIG_ERROR_BYTES, "no memory for the configuration");
	return -1;
}

int config_init(struct config *config)
{
	*config = (struct config){
		.listen = calloc(1, sizeof(struct address)),
		.n_listen = 1,
		.listen_is_default = true,
		.has_http = true,
		.http_is_default = true,
		.log_level = CONFIG_LOG_INFO,
		.http = {.host = strdup("127.0.0.1"), .port = 7224},
		.limits =
			{
#define LIMIT(field, unit, fallback, lowest, highest) .field = fallback,
				LIMITS(LIMIT)
#undef LIMIT
			},
	};
	journal_config_init(&config->journal);
	if (config->listen)
		config->listen[0] = (struct address){.scheme = ADDRESS_TCP, .host = strdup("127.0.0.1"), .port = 7223};
	if (cluster_config_init(&config->cluster) == 0 && config->listen && config->listen[0].host && config->http.host)
		return 0;
	config_finish(config);
	return -1;
}

void config_drop_listen(struct config *config)
{
	for (size_t i = 0; config->listen && i < config->n_listen; i++)
		address_finish(&config->listen[i]);
	free(config->listen);
	config->listen = NULL;
	config->n_listen = 0;
	config->listen_is_default = false;
}

void config_finish(struct config *config)
{
	config_drop_listen(config);
	address_finish(&config->http);
	observe_drop_hosts(config);
	channels_config_drop(config);
	taps_config_drop(config);
	users_config_drop(config);
	tls_settings_finish(&config->tls);
	free(config->users_file);
	free(config->journal.path);
	cluster_config_finish(&config->cluster);
	free(config->user);
	*config = (struct config){.listen = NULL};
}

static int copy_address(struct address *to, const struct address *from)
{
	*to = *from;
	to->host = from->host ? strdup(from->host) : NULL;
	int result = tls_settings_copy(&to->tls, &from->tls);
	return from->host && !to->host ? -1 : result;
}

int config_copy(struct config *to, const struct config *from)
{
	*to = (struct config){
		.listen_is_default = from->listen_is_default,
		.has_http = from->has_http,
		.http_is_default = from->http_is_default,
		.insecure = from->insecure,
		.log_json = from->log_json,
		.log_level = from->log_level,
		.spin_us = from->spin_us,
		.limits = from->limits,
		.journal = from->journal,
		.listen = calloc(from->n_listen + 1, sizeof(*to->listen)),
		.channels = calloc(from->n_channels + 1, sizeof(*to->channels)),
		.taps = calloc(from->n_taps + 1, sizeof(*to->taps)),
	};
	to->journal.path = NULL;
	if (cluster_config_copy(&to->cluster, &from->cluster) < 0 ||
	    text_copy(&to->journal.path, from->journal.path) < 0 || text_copy(&to->users_file, from->users_file) < 0 ||
	    text_copy(&to->user, from->user) < 0 || tls_settings_copy(&to->tls, &from->tls) < 0 ||
	    users_config_copy(to, from) < 0)
		goto no_memory;
	if (!to->listen || !to->channels || !to->taps || copy_address(&to->http, &from->http) < 0 ||
	    observe_copy_hosts(to, from) < 0)
		goto no_memory;
	while (to->n_listen < from->n_listen) {
		int result = copy_address(&to->listen[to->n_listen], &from->listen[to->n_listen]);
		to->n_listen++;
		if (result < 0)
			goto no_memory;
	}
	for (; to->n_channels < from->n_channels; to->n_channels++) {
		if (channels_config_copy(&to->channels[to->n_channels], &from->channels[to->n_channels]) < 0)
			goto no_memory;
	}
	for (; to->n_taps < from->n_taps; to->n_taps++) {
		if (taps_config_copy(&to->taps[to->n_taps], &from->taps[to->n_taps]) < 0)
			goto no_memory;
	}
	return 0;
no_memory:
	config_finish(to);
	return -1;
}

int config_commit(struct config *config, struct config *changed, int result)
{
	if (result < 0) {
		config_finish(changed);
		return -1;
	}
	config_finish(config);
	*config = *changed;
	return 0;
}
