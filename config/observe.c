#include "config/observe.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_HOST_BYTES = 253 };

void observe_drop_hosts(struct config *config)
{
	for (size_t i = 0; i < config->n_http_hosts; i++)
		free(config->http_hosts[i]);
	free(config->http_hosts);
	config->http_hosts = NULL;
	config->n_http_hosts = 0;
}

static int add_host(struct config *config, const char *name)
{
	char **hosts = reallocarray(config->http_hosts, config->n_http_hosts + 1, sizeof(*hosts));
	if (!hosts)
		return -1;
	config->http_hosts = hosts;
	hosts[config->n_http_hosts] = strdup(name);
	return hosts[config->n_http_hosts] ? (config->n_http_hosts++, 0) : -1;
}

int observe_copy_hosts(struct config *to, const struct config *from)
{
	for (size_t i = 0; i < from->n_http_hosts; i++)
		if (add_host(to, from->http_hosts[i]) < 0)
			return -1;
	return 0;
}

static int read_host(struct yaml_reader *reader, const yaml_node_t *node, void *into)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	const char *name = yaml_text(reader, node, "a host's name");
	if (!name)
		return -1;
	if (!name[0] || strlen(name) > MAX_HOST_BYTES || name[strspn(name, allowed)])
		return yaml_refuse(
			reader, node,
			"\"%.64s\" is no host's name; expected one such as millrace.example.org, without a port", name);
	return add_host(into, name) < 0 ? yaml_refuse(reader, node, "no memory") : 0;
}

int observe_read_hosts(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config *config = into;
	(void)arg;
	observe_drop_hosts(config);
	return yaml_list(reader, node, 0, MAX_HTTP_HOSTS, "names", read_host, config);
}

int observe_read_log(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config *config = into;
	const char *text = yaml_text(reader, node, "text or json");
	(void)arg;
	if (!text)
		return -1;
	config->log_json = strcmp(text, "json") == 0;
	return config->log_json || strcmp(text, "text") == 0
		       ? 0
		       : yaml_refuse(reader, node, "\"%.64s\" is not possible; expected text or json", text);
}

int observe_read_log_level(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	static const char *const words[] = {
		[CONFIG_LOG_ERROR] = "error", [CONFIG_LOG_WARNING] = "warning", [CONFIG_LOG_INFO] = "info"};
	struct config *config = into;
	const char *text = yaml_text(reader, node, "error, warning or info");
	(void)arg;
	if (!text)
		return -1;
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		config->log_level = i;
		if (strcmp(text, words[i]) == 0)
			return 0;
	}
	return yaml_refuse(reader, node, "\"%.64s\" is not possible; expected error, warning or info", text);
}
