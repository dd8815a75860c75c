/* Reading YAML by tables of keys: what is unknown, double or of the wrong type is refused with its place. A thin layer
 * over libyaml. */
#ifndef MILLRACE_CONFIG_YAML_READER_H
#define MILLRACE_CONFIG_YAML_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <yaml.h>

#include "config/config.h"

struct yaml_reader {
	yaml_document_t document;
	const char *name; /* of the text, in errors */
	bool has_places;  /* errors tell line and column */
	char *error;      /* CONFIG_ERROR_BYTES of it */
};

/* Parses the text, which is one document or none, without anchors, aliases and tags. Returns 0, or -1 with the error.
 */
int yaml_reader_init(struct yaml_reader *reader, const char *text, size_t len, const char *name, bool has_places,
		     char error[CONFIG_ERROR_BYTES]);
void yaml_reader_finish(struct yaml_reader *reader);

yaml_node_t *yaml_root(struct yaml_reader *reader); /* NULL: the text is empty */
yaml_node_t *yaml_node(struct yaml_reader *reader, int index);

/* Reads each of a list's items, of which there are `least` to `most`, or one alone without a list. `what` they are, for
 * the error. */
typedef int yaml_item_fn(struct yaml_reader *reader, const yaml_node_t *node, void *into);
int yaml_list(struct yaml_reader *reader, const yaml_node_t *node, size_t least, size_t most, const char *what,
	      yaml_item_fn *read, void *into);

/* Writes "NAME:LINE:COLUMN: …", in one line whatever is quoted, and returns -1. */
__attribute__((format(printf, 3, 4))) int yaml_refuse(struct yaml_reader *reader, const yaml_node_t *node,
						      const char *format, ...);

/* Replaces control characters: an error is one line, whatever it quotes. */
void yaml_one_line(char *text);

/* The text of a scalar, or NULL and the error. `what`: for people, "a channel's name". It belongs to the document. */
const char *yaml_text(struct yaml_reader *reader, const yaml_node_t *node, const char *what);
/* Puts a copy of the text in the field's place, which is on the heap, or NULL. */
int yaml_keep(struct yaml_reader *reader, const yaml_node_t *node, char **field, const char *text, size_t len);
int yaml_bool(struct yaml_reader *reader, const yaml_node_t *node, bool *out);

/* A number in one of a limit's units, within its bounds. */
int yaml_number(struct yaml_reader *reader, const yaml_node_t *node, enum limit_unit unit, uint64_t lowest,
		uint64_t highest, uint64_t *out);

struct yaml_key {
	const char *name;
	int (*read)(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into);
	const void *arg;
};

/* A key's reader, of a text that is not empty; `arg` points to the offset of the field in what is read into. */
int yaml_read_text(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into);

enum { YAML_MAX_KEYS = 32 };

/* The key of that name; NULL and the error, with what may have been meant, if there is none. `node` is where it stands.
 */
const struct yaml_key *yaml_find_key(struct yaml_reader *reader, const yaml_node_t *node, const char *name,
				     const struct yaml_key *keys, size_t n_keys);

/* Reads the node as what is behind the key of that name. */
int yaml_set_key(struct yaml_reader *reader, const yaml_node_t *node, const char *name, const struct yaml_key *keys,
		 size_t n_keys, void *into);

/* Reads every pair of a mapping by its key. `what`: "limits". */
int yaml_mapping(struct yaml_reader *reader, const yaml_node_t *node, const char *what, const struct yaml_key *keys,
		 size_t n_keys, void *into);

/* The pairs of a mapping, for those whose keys are free. -1 and the error if it is none. A key with nothing behind it
 * (all of it is commented out) is an empty one. */
int yaml_pairs(struct yaml_reader *reader, const yaml_node_t *node, const char *what, const yaml_node_pair_t **pairs,
	       size_t *n);

#endif
