#include "config/tls_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/text.h"

void tls_settings_finish(struct tls_settings *settings)
{
	free(settings->cert);
	free(settings->key);
	free(settings->ca);
	*settings = (struct tls_settings){.cert = NULL};
}

int tls_settings_copy(struct tls_settings *to, const struct tls_settings *from)
{
	*to = (struct tls_settings){.client_certificates = from->client_certificates};
	return text_copy(&to->cert, from->cert) < 0 || text_copy(&to->key, from->key) < 0 ||
			       text_copy(&to->ca, from->ca) < 0
		       ? -1
		       : 0;
}

struct tls_settings config_tls(const struct config *config, const struct address *address)
{
	struct tls_settings settings = address->tls;
	/* A certificate and its key belong together. */
	if (!settings.cert && !settings.key) {
		settings.cert = config->tls.cert;
		settings.key = config->tls.key;
	}
	if (!settings.ca)
		settings.ca = config->tls.ca;
	if (settings.client_certificates == CLIENT_CERTIFICATES_DEFAULT)
		settings.client_certificates = config->tls.client_certificates;
	if (settings.client_certificates == CLIENT_CERTIFICATES_DEFAULT)
		settings.client_certificates = settings.ca ? CLIENT_CERTIFICATES_OPTIONAL : CLIENT_CERTIFICATES_NONE;
	return settings;
}

const char *tls_config_fault(const struct config *config, const struct address *address)
{
	struct tls_settings settings = config_tls(config, address);
	if (address->scheme != ADDRESS_TLS) {
		bool has_tls =
			address->tls.cert || address->tls.key || address->tls.ca || address->tls.client_certificates;
		return has_tls ? "only tls:// and https:// have certificates" : NULL;
	}
	if (!settings.cert || !settings.key)
		return "TLS needs a certificate and its key; expected `tls: {cert: FILE, key: FILE}`, or both with the "
		       "address";
	if (settings.client_certificates > CLIENT_CERTIFICATES_NONE && !settings.ca)
		return "clients' certificates need somebody who signs them; expected `ca: FILE`";
	return NULL;
}

/* -- Reading -- */

static int read_file(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	char **field = (char **)((char *)into + *(const size_t *)arg);
	const char *path = yaml_text(reader, node, "a file");
	if (!path)
		return -1;
	if (path[0] == '\0')
		return yaml_refuse(reader, node, "there is no file; expected a path");
	return yaml_keep(reader, node, field, path, strlen(path));
}

static int read_client_certificates(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	static const char *const words[] = {[CLIENT_CERTIFICATES_NONE] = "none",
					    [CLIENT_CERTIFICATES_OPTIONAL] = "optional",
					    [CLIENT_CERTIFICATES_REQUIRED] = "required"};
	struct tls_settings *settings = (struct tls_settings *)((char *)into + *(const size_t *)arg);
	const char *word = yaml_text(reader, node, "none, optional or required");
	if (!word)
		return -1;
	for (int i = CLIENT_CERTIFICATES_NONE; i <= CLIENT_CERTIFICATES_REQUIRED; i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		settings->client_certificates = (enum client_certificates)i;
		return 0;
	}
	return yaml_refuse(reader, node, "\"%.64s\" is not possible; expected none, optional or required", word);
}

/* How an address of `listen`, or that of `http`, is written. */
struct address_parser {
	int (*parse)(struct address *address, const char *text, char error[CONFIG_ERROR_BYTES]);
};

static int read_address(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	const struct address_parser *parser = arg;
	struct address *address = into, parsed;
	char why[CONFIG_ERROR_BYTES];
	const char *url = yaml_text(reader, node, "an address");
	if (!url)
		return -1;
	if (parser->parse(&parsed, url, why) < 0)
		return yaml_refuse(reader, node, "%s", why);
	free(address->host);
	address->scheme = parsed.scheme;
	address->host = parsed.host;
	address->port = parsed.port;
	return 0;
}

/* The same members, in a struct config and in a struct address. */
#define TLS_KEYS(type)                                                                                                 \
	{"cert", read_file, &(const size_t){offsetof(type, tls.cert)}},                                                \
		{"key", read_file, &(const size_t){offsetof(type, tls.key)}},                                          \
		{"ca", read_file, &(const size_t){offsetof(type, tls.ca)}},                                            \
	{                                                                                                              \
		"client_certificates", read_client_certificates, &(const size_t)                                       \
		{                                                                                                      \
			offsetof(type, tls)                                                                            \
		}                                                                                                      \
	}

static const struct yaml_key config_keys[] = {TLS_KEYS(struct config)};
static const struct yaml_key listener_keys[] = {
	{"address", read_address, &(const struct address_parser){address_parse}},
	TLS_KEYS(struct address),
};
static const struct yaml_key http_keys[] = {
	{"address", read_address, &(const struct address_parser){address_parse_http}},
	TLS_KEYS(struct address),
};

enum { N_LISTENER_KEYS = sizeof(listener_keys) / sizeof(listener_keys[0]) };

int tls_config_read(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config *config = into;
	(void)arg;
	tls_settings_finish(&config->tls);
	return yaml_mapping(reader, node, "tls", config_keys, sizeof(config_keys) / sizeof(config_keys[0]), config);
}

static int read_with_certificates(struct yaml_reader *reader, const yaml_node_t *node, const struct yaml_key *keys,
				  const char *scheme, struct address *address)
{
	*address = (struct address){.host = NULL};
	int result = yaml_mapping(reader, node, "a listener", keys, N_LISTENER_KEYS, address);
	if (result == 0 && !address->host)
		result = yaml_refuse(reader, node,
				     "a listener without an address; expected {address: %s://HOST:PORT, ...}", scheme);
	if (result < 0)
		address_finish(address);
	return result;
}

int tls_config_read_listener(struct yaml_reader *reader, const yaml_node_t *node, struct address *address)
{
	return read_with_certificates(reader, node, listener_keys, "tls", address);
}

int tls_config_read_http(struct yaml_reader *reader, const yaml_node_t *node, struct address *address)
{
	return read_with_certificates(reader, node, http_keys, "https", address);
}
