/* Taps, each from one channel to one or several. A match is written in YAML, and kept as the JSON that the protocol
 * has.
 */
#include "config/taps_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buffer.h"
#include "proto/json_scan.h"
#include "proto/match.h"
#include "proto/message.h"
#include "proto/name.h"

enum { MAX_TARGETS = 64 };

static const char *const states[] = {
	[CONFIG_TAP_RUN] = "run", [CONFIG_TAP_PAUSE] = "pause", [CONFIG_TAP_MUTE] = "mute", [CONFIG_TAP_SOLO] = "solo"};

/* One item of the list, as it is read. */
struct tap_item {
	char *from, *match;
	char *to[MAX_TARGETS];
	size_t n_to;
	bool close;
	enum config_tap_state state;
};

/* -- Members -- */

static int read_name(struct yaml_reader *reader, const yaml_node_t *node, char **into)
{
	const char *name = yaml_text(reader, node, "a channel's name");
	if (!name)
		return -1;
	if (!name_is_valid(slice_from(name)))
		return yaml_refuse(reader, node, "\"%.64s\" is not a channel's name", name);
	return yaml_keep(reader, node, into, name, strlen(name));
}

static int read_from(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	(void)arg;
	return read_name(reader, node, &((struct tap_item *)into)->from);
}

static int read_target(struct yaml_reader *reader, const yaml_node_t *node, void *into)
{
	struct tap_item *item = into;
	char *name = NULL;
	if (read_name(reader, node, &name) < 0)
		return -1;
	item->to[item->n_to++] = name;
	return 0;
}

static int read_to(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	(void)arg;
	return yaml_list(reader, node, 1, MAX_TARGETS, "channels to carry to", read_target, into);
}

/* As JSON: what is quoted is a string, and so is what is neither a number nor one of JSON's words. */
static void write_scalar(struct buffer *out, const yaml_node_t *node)
{
	struct slice text = {(const char *)node->data.scalar.value, node->data.scalar.length}, raw;
	struct json_scan scan;
	json_scan_init(&scan, text.bytes, text.len);
	enum json_type type = json_scan_value(&scan, &raw);
	bool is_json = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && type != JSON_TYPE_NONE &&
		       type != JSON_TYPE_STRING && json_scan_at_end(&scan) && raw.len == text.len;
	if (is_json)
		buffer_append(out, text.bytes, text.len);
	else
		message_text(out, text);
}

static int write_match(struct yaml_reader *reader, const yaml_node_t *node, struct buffer *out)
{
	const yaml_node_pair_t *pairs = NULL;
	size_t n = 0;
	if (yaml_pairs(reader, node, "match", &pairs, &n) < 0)
		return -1;
	buffer_append(out, "{", 1);
	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *value = yaml_node(reader, pairs[i].value);
		const char *pointer = yaml_text(reader, yaml_node(reader, pairs[i].key), "a JSON pointer");
		if (!pointer)
			return -1;
		if (value->type != YAML_SCALAR_NODE)
			return yaml_refuse(reader, value,
					   "what match asks for is a string, a number, true, false or null");
		if (i)
			buffer_append(out, ",", 1);
		message_text(out, slice_from(pointer));
		buffer_append(out, ":", 1);
		write_scalar(out, value);
	}
	buffer_append(out, "}", 1);
	return 0;
}

static int read_match(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct tap_item *item = into;
	struct buffer out = {0};
	char why[MATCH_DETAIL_BYTES];
	bool lacks_memory;
	(void)arg;
	int result = write_match(reader, node, &out);
	struct slice json = buffer_slice(&out);
	struct match *match = result == 0 && !out.failed ? match_compile(json, &lacks_memory, why) : NULL;
	if (result == 0 && out.failed)
		result = yaml_refuse(reader, node, "no memory");
	else if (result == 0 && !match)
		result = yaml_refuse(reader, node, "%s", why);
	free(item->match);
	item->match = match ? strndup(json.bytes, json.len) : NULL;
	match_destroy(match);
	buffer_finish(&out);
	return result == 0 && !item->match ? yaml_refuse(reader, node, "no memory") : result;
}

static int read_close(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	(void)arg;
	return yaml_bool(reader, node, &((struct tap_item *)into)->close);
}

static int read_state(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	const char *word = yaml_text(reader, node, "a state");
	(void)arg;
	for (int state = CONFIG_TAP_RUN; word && state <= CONFIG_TAP_SOLO; state++) {
		if (strcmp(word, states[state]) != 0)
			continue;
		((struct tap_item *)into)->state = (enum config_tap_state)state;
		return 0;
	}
	return word ? yaml_refuse(reader, node, "\"%.64s\" is not a state; expected run, pause, mute or solo", word)
		    : -1;
}

static const struct yaml_key keys[] = {
	{"from", read_from, NULL},   {"to", read_to, NULL},       {"match", read_match, NULL},
	{"close", read_close, NULL}, {"state", read_state, NULL},
};

/* -- Taps -- */

static void tap_drop(struct config_tap *tap)
{
	free(tap->from);
	free(tap->to);
	free(tap->match);
}

int taps_config_copy(struct config_tap *to, const struct config_tap *from)
{
	*to = *from;
	to->from = strdup(from->from);
	to->to = strdup(from->to);
	to->match = from->match ? strdup(from->match) : NULL;
	if (to->from && to->to && !to->match == !from->match)
		return 0;
	tap_drop(to);
	return -1;
}

void taps_config_drop(struct config *config)
{
	for (size_t i = 0; i < config->n_taps; i++)
		tap_drop(&config->taps[i]);
	free(config->taps);
	config->taps = NULL;
	config->n_taps = 0;
}

/* One tap for each of the item's targets, at the end of the list. */
static int add(struct config *config, const struct tap_item *item)
{
	struct config_tap *taps = reallocarray(config->taps, config->n_taps + item->n_to, sizeof(*taps));
	if (!taps)
		return -1;
	config->taps = taps;
	for (size_t i = 0; i < item->n_to; i++) {
		const struct config_tap tap = {item->from, item->to[i], item->match, item->close, item->state};
		if (taps_config_copy(&taps[config->n_taps], &tap) < 0)
			return -1;
		config->n_taps++;
	}
	return 0;
}

static int read_tap(struct yaml_reader *reader, const yaml_node_t *node, void *into)
{
	struct tap_item item = {.close = true};
	int result = yaml_mapping(reader, node, "taps", keys, sizeof(keys) / sizeof(keys[0]), &item);
	if (result == 0 && (!item.from || item.n_to == 0))
		result = yaml_refuse(reader, node, "a tap needs from and to; expected both");
	if (result == 0 && add(into, &item) < 0)
		result = yaml_refuse(reader, node, "no memory");
	free(item.from);
	free(item.match);
	for (size_t i = 0; i < item.n_to; i++)
		free(item.to[i]);
	return result;
}

int taps_config_read(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	(void)arg;
	taps_config_drop(into);
	return yaml_list(reader, node, 0, MAX_CONFIG_TAPS, "taps", read_tap, into);
}

/* -- The whole -- */

static bool is_channel(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_channels; i++)
		if (strcmp(config->channels[i].name, name) == 0)
			return true;
	return false;
}

/* Takes away, again and again, what leads to nothing that is left: what then remains goes round. */
static const struct config_tap *find_circle(const struct config *config, bool gone[])
{
	bool has_changed = true;
	while (has_changed) {
		has_changed = false;
		for (size_t i = 0; i < config->n_taps; i++) {
			bool leads_on = false;
			for (size_t k = 0; k < config->n_taps && !gone[i] && !leads_on; k++)
				leads_on = !gone[k] && strcmp(config->taps[k].from, config->taps[i].to) == 0;
			has_changed = has_changed || (!gone[i] && !leads_on);
			gone[i] = !leads_on;
		}
	}
	for (size_t i = 0; i < config->n_taps; i++)
		if (!gone[i])
			return &config->taps[i];
	return NULL;
}

int taps_config_check(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	for (size_t i = 0; i < config->n_taps; i++) {
		const struct config_tap *tap = &config->taps[i];
		const char *missing = !is_channel(config, tap->from) ? tap->from
				      : !is_channel(config, tap->to) ? tap->to
								     : NULL;
		if (!missing)
			continue;
		snprintf(error, CONFIG_ERROR_BYTES, "taps: \"%.128s\" is none of the channels; expected one of these",
			 missing);
		return -1;
	}
	bool *gone = calloc(config->n_taps + 1, sizeof(*gone));
	if (!gone) {
		snprintf(error, CONFIG_ERROR_BYTES, "no memory");
		return -1;
	}
	const struct config_tap *circle = find_circle(config, gone);
	if (circle)
		snprintf(error, CONFIG_ERROR_BYTES,
			 "taps: values from \"%.128s\" to \"%.128s\" would go round in a circle; expected none",
			 circle->from, circle->to);
	free(gone);
	return circle ? -1 : 0;
}
