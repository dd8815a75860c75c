/* What etcd's gateway answers, read. Pure. The text may be anything: what is not an answer of the kind that was asked
 * for is ETCD_IS_WRONG, with a line that says so. */
#ifndef MILLRACE_CLUSTER_ETCD_ANSWERS_H
#define MILLRACE_CLUSTER_ETCD_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/cluster/engine.h"
#include "proto/slice.h"

enum {
	ETCD_TOKEN_BYTES = 1500, /* an authorisation, with its NUL: some are signed texts */
	ETCD_CLUSTER_BYTES = 24, /* a cluster's id, with its NUL */
	ETCD_MESSAGE_BYTES = 256,
};

enum etcd_verdict {
	ETCD_DID,          /* it is an answer, and no error */
	ETCD_REFUSES,      /* nothing has happened, and will not */
	ETCD_IS_FULL,      /* likewise, for lack of room */
	ETCD_LACKS_LEASE,  /* likewise: the lease is gone */
	ETCD_WANTS_LOGIN,  /* likewise: the token holds no longer, or is lacking */
	ETCD_IS_COMPACTED, /* likewise: the revision has been compacted */
	ETCD_IS_UNSURE,    /* an error after which it may have happened, or may go better soon */
	ETCD_IS_WRONG,     /* no answer of etcd's */
};

struct etcd_answer {
	enum etcd_verdict verdict;
	char message[ETCD_MESSAGE_BYTES]; /* unless ETCD_DID: what etcd says, or what is wrong; printable, one line */
	char cluster[ETCD_CLUSTER_BYTES]; /* empty: the answer does not say */
	uint64_t revision;
	bool succeeded, has_more; /* transaction; range */
	struct slice rows;        /* range: the array, for etcd_answer_rows(); empty: there are none */
	uint64_t lease, ttl_s;    /* ttl_s 0: it is gone */
	uint64_t used_bytes;
	bool has_alarm;              /* for lack of room */
	struct slice version, token; /* slices of the text */
};

/* Reads an answer with that status of HTTP. The text is written in: escapes become bytes. */
void etcd_answer_read(struct etcd_answer *answer, unsigned http_status, char *text, size_t len);

/* What the rows of a range must be like: they begin with the prefix, lie in [key, end) behind it (the one key, if `end`
 * is empty), ascend, and are at most `limit`. */
struct etcd_asked {
	struct slice prefix, key, end;
	size_t limit;
};

/* Reads the rows; `to` has room for the limit. They are decoded where they stand in the text. -1: something is wrong,
 * and `message` says what. */
int etcd_answer_rows(const struct etcd_answer *answer, const struct etcd_asked *asked, struct engine_row *to,
		     size_t *n_rows, char message[ETCD_MESSAGE_BYTES]);

/* The quota in the text of /metrics; 0: it is not there. */
uint64_t etcd_answer_quota(struct slice metrics);

/* Copies text of a stranger as one printable line. */
void etcd_message_copy(char to[ETCD_MESSAGE_BYTES], struct slice text);

#endif
