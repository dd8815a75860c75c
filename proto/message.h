/* Requests and replies of protocol 1: decoded from a frame's body into slices, encoded into a buffer. Nothing is copied
 * but unescaped names, which are written over the body itself. Pure; one decoder belongs to one thread. */
#ifndef MILLRACE_PROTO_MESSAGE_H
#define MILLRACE_PROTO_MESSAGE_H

#include <stdint.h>

#include "proto/buffer.h"
#include "proto/slice.h"
#include "proto/status.h"

enum {
	MESSAGE_MAX_ARMS = 64,
	MESSAGE_MAX_TAKE = 1000,
	MESSAGE_MAX_COUNT = 1000000,
	MESSAGE_MAX_DELIVERIES = 1000000,
	MESSAGE_MAX_ROWS = 1000000,
	MESSAGE_MAX_MOVE = 10000,
	MESSAGE_DEFAULT_MOVE = 1000, /* values of a move that does not say `max` */
	MESSAGE_MAX_GLOB_BYTES = 256,
	MESSAGE_MAX_PRODUCER_BYTES = 64
};
#define MESSAGE_MAX_ID ((UINT64_C(1) << 53) - 1)
#define MESSAGE_NO_ID  UINT64_MAX                /* of a put that came without one */
#define MESSAGE_MAX_MS ((UINT64_C(1) << 31) - 1) /* of timeout_ms and its like */

enum message_op { /* the most frequent first: in this order they are looked for */
		  OP_NONE,
		  OP_PUT,
		  OP_TAKE,
		  OP_ALTS,
		  OP_ACK,
		  OP_NACK,
		  OP_EXTEND,
		  OP_CANCEL,
		  OP_PING,
		  OP_HELLO,
		  OP_CREATE,
		  OP_CLOSE,
		  OP_DELETE,
		  OP_ALTER,
		  OP_LEASES,
		  OP_MOVE,
		  OP_PEEK,
		  OP_LIST,
		  OP_STAT,
		  OP_WAITERS,
		  OP_TAP,
		  OP_UNTAP,
		  OP_TAPS,
		  OP_CLUSTER,
		  OP_COUNT
};

const char *message_op_name(enum message_op op); /* "put"; static, never NULL */

/* The op whose name has these bytes, the first one lowest, with zeros behind the last; else OP_NONE. */
enum message_op message_op_from_word(uint64_t word);

enum message_member { /* bit numbers in message_request.present; in order of the length of their names */
		      MEMBER_ID,
		      MEMBER_OP,
		      MEMBER_TO,
		      MEMBER_MAX,
		      MEMBER_SEQ,
		      MEMBER_ARMS,
		      MEMBER_FROM,
		      MEMBER_KIND,
		      MEMBER_NAME,
		      MEMBER_VALUE,
		      MEMBER_COUNT,
		      MEMBER_FORCE,
		      MEMBER_MATCH,
		      MEMBER_AFTER,
		      MEMBER_LIMIT,
		      MEMBER_TOKEN,
		      MEMBER_LEASE,
		      MEMBER_CLOSE,
		      MEMBER_STATE,
		      MEMBER_GROUP,
		      MEMBER_VALUES,
		      MEMBER_STICKY,
		      MEMBER_CHANNEL,
		      MEMBER_COUNTED,
		      MEMBER_DURABLE,
		      MEMBER_REQUEST,
		      MEMBER_PRIORITY,
		      MEMBER_CAPACITY,
		      MEMBER_PROTOCOL,
		      MEMBER_PRODUCER,
		      MEMBER_LEASE_MS,
		      MEMBER_DELAY_MS,
		      MEMBER_EPHEMERAL,
		      MEMBER_TIMEOUT_MS,
		      MEMBER_MAX_WAITERS,
		      MEMBER_DEAD_LETTER,
		      MEMBER_MAX_DELIVERIES,
		      N_MEMBERS
};

#define MESSAGE_BIT(member) (UINT64_C(1) << (member))

struct message_arm {
	bool is_put;
	struct slice channel; /* unescaped; a valid name */
	struct slice value;   /* of a put: raw JSON */
};

/* A decoded request. Slices point into the frame's body, or into the decoder (values, arms), and are valid until the
 * body changes or the decoder is used again. Only what `present` names is set; the rest has its default (0, false,
 * empty), and `limit`, `max` and `counted` their own. */
struct message_request {
	uint64_t present; /* MESSAGE_BIT(member) of each member that is there */
	enum message_op op;
	bool has_id; /* of an error too, if the id could be read: reply with it; else with null, and for a put with its
			channel, if that could be read */
	bool priority;
	bool sticky;
	bool counted;         /* of nack: true by default */
	uint64_t id;          /* MESSAGE_NO_ID without one: only a put may lack it */
	struct slice channel; /* unescaped; a valid name (reserved ones too) */
	struct slice value;   /* raw JSON, never null */
	const struct slice *values;
	size_t n_values;
	const struct message_arm *arms;
	size_t n_arms;
	uint64_t timeout_ms;
	uint64_t max;       /* take: 1..MESSAGE_MAX_TAKE; peek: 1 by default; move: MESSAGE_DEFAULT_MOVE by default */
	uint64_t count;     /* take: 0 without one */
	uint64_t lease_ms;  /* 0 without one */
	uint64_t delay_ms;  /* of put and nack */
	struct slice lease; /* unescaped */
	struct slice producer; /* of put: unescaped, 1..MESSAGE_MAX_PRODUCER_BYTES bytes, any UTF-8 */
	uint64_t seq;          /* of put, with `producer`: 0..MESSAGE_MAX_ID */
	uint64_t request;

	/* Not of put, take, alts, cancel, ack, nack and extend: there it is not even cleared. `kind` has to be first.
	 */
	struct slice kind;
	uint64_t capacity;
	uint64_t max_waiters;
	uint64_t max_deliveries;
	struct slice dead_letter; /* unescaped; a valid name; of alter, empty where it is null: none any more */
	bool ephemeral;
	bool durable;
	bool force;
	struct slice from, to; /* of move, tap and untap: unescaped; valid names; `to` empty where it is not there */
	struct slice match;    /* of list: unescaped; of tap: an object, raw JSON */
	struct slice state;    /* of tap: unescaped; empty where it is not there */
	bool close;            /* of tap: true by default */
	struct slice after;    /* of list and cluster: unescaped */
	struct slice group;    /* of cluster: unescaped; a valid name. Then `to` is a daemon's */
	uint64_t after_seq;    /* of waiters, leases and taps */
	uint64_t limit;        /* 1000 by default */
	uint64_t protocol;
	struct slice name;  /* unescaped */
	struct slice token; /* unescaped */

	/* On an error: */
	enum error error;
	char detail[192]; /* for people: what was wrong; quotes at most 64 bytes of input; NUL-terminated, "" if nothing
			     to add, valid UTF-8, plain text (not JSON-escaped) */
};

static inline bool message_has(const struct message_request *request, enum message_member member)
{
	return request->present & MESSAGE_BIT(member);
}

/* Scratch of a decoder: zero-initialised, grows with the largest batch, is trimmed when it is large and the batches are
 * small again. */
struct request_shapes;
struct message_decoder {
	struct slice *values;
	size_t values_cap;
	struct message_arm arms[MESSAGE_MAX_ARMS];
	struct request_shapes *shapes; /* request_shape.h's: how requests were written lately; NULL: none is known */
};

void message_decoder_finish(struct message_decoder *decoder);

/* Decodes one request. Returns 0, or -1 with request->error, ->has_id, ->id and ->detail set. `body` is written to
 * where names have escapes. Every rule of the protocol that needs no channel is checked here: JSON, unknown, double,
 * missing and mistyped members, ranges, names' form, null values, arms. The first thing wrong is told; bad JSON
 * anywhere comes before everything. Never allocates but decoder->values, for which no memory is ERROR_OVERLOADED, and
 * decoder->shapes, which it can do without. */
int message_decode_request(struct message_decoder *decoder, char *body, size_t len, struct message_request *request);

enum message_body { MESSAGE_BODY_MEMBERS, MESSAGE_BODY_VALUE, MESSAGE_BODY_VALUES };

/* Decodes one request that comes in two texts: `envelope` is a JSON object, which the caller has written, with the id,
 * the op and some of its members; `body` is an object of the others, or the value of `value` or `values`. Returns as
 * message_decode_request() does, and writes to both texts as that does; of bad JSON `detail` names place and line in
 * the body. */
int message_decode_parted(struct message_decoder *decoder, struct slice envelope, struct slice body,
			  enum message_body kind, struct message_request *request);

/* The channel that the request most likely names; empty: that is not to be seen at a glance. */
struct slice message_peek_channel(struct slice body);

/* Writing, for both sides: an object of members in one frame.
 *   size_t mark = message_begin_reply(out, true, 7, STATUS_OK); message_uint(out, "evicted", 1); message_end(out,
 * mark); Keys are trusted literals. Failure marks the buffer (see buffer.h). */
size_t message_begin_reply(struct buffer *out, bool has_id, uint64_t id, enum status status);
/* The replies that are most of all, each in one piece: ok alone, with a value, and with the value of a count. */
void message_ok(struct buffer *out, uint64_t id);
void message_ok_value(struct buffer *out, uint64_t id, struct slice value);
void message_ok_counted(struct buffer *out, uint64_t id, struct slice value, uint32_t left);
size_t message_begin_request(struct buffer *out, uint64_t id, enum message_op op); /* MESSAGE_NO_ID: without one */
void message_end(struct buffer *out, size_t mark);

void message_uint(struct buffer *out, const char *key, uint64_t number);
void message_bool(struct buffer *out, const char *key, bool truth);
void message_string(struct buffer *out, const char *key,
		    struct slice text);                                   /* escapes it; invalid UTF-8 becomes U+FFFD */
void message_raw(struct buffer *out, const char *key, struct slice json); /* JSON as it is */
static inline void message_key(struct buffer *out, const char *key);      /* ,"key": and the caller appends the value */
void message_text(struct buffer *out, struct slice text);                 /* a JSON string, quoted and escaped */

/* Inline, so that a literal key has its length at compile time. */
static inline void message_key(struct buffer *out, const char *key)
{
	size_t len = strlen(key);
	char *to = buffer_reserve(out, len + 4);
	if (!to)
		return;
	memcpy(to, ",\"", 2);
	memcpy(to + 2, key, len);
	memcpy(to + 2 + len, "\":", 2);
	buffer_commit(out, len + 4);
}

/* An error reply: a whole one, or one to which members are added. `detail` is plain text for people, or NULL; it is
 * joined to the error's own text. */
size_t message_begin_error(struct buffer *out, bool has_id, uint64_t id, enum error error, const char *detail);
void message_error(struct buffer *out, bool has_id, uint64_t id, enum error error, const char *detail);

/* A decoded reply, for clients: the envelope's well-known members; all others, and these too, can be had from `body`
 * with a JSON library. */
struct message_reply {
	bool has_id;
	uint64_t id;
	enum status status;
	enum error error;        /* with STATUS_ERROR */
	struct slice message;    /* unescaped; with STATUS_ERROR */
	struct slice value;      /* raw JSON; empty where there is none */
	struct slice values;     /* raw JSON array; empty where there is none */
	struct slice channel;    /* unescaped; empty where there is none */
	struct slice lease;      /* unescaped; empty where there is none */
	struct slice deliveries; /* raw JSON: a number, or an array of them; empty where there is none */
	struct slice origin;     /* raw JSON: `origin`, or `origins`; empty where there is none */
	bool has_arm;
	uint64_t arm;
	uint64_t evicted;
	bool has_accepted;
	uint64_t accepted;
	bool has_left; /* of a take with a count */
	uint64_t left;
	struct slice address; /* of ERROR_MOVED: where to ask, unescaped; empty where there is none */
	uint64_t retry_ms;    /* of ERROR_UNAVAILABLE and ERROR_OVERLOADED: when to ask again; 0: it is not told */
	struct slice body;    /* the whole object */
};

/* Decodes one reply; unknown members are skipped, of members that occur twice the last counts. Returns 0, or -1 if it
 * is not a reply of this protocol at all. `body` is written to where strings have escapes: reply->body is then no
 * longer what was sent, where well-known strings stood. */
int message_decode_reply(char *body, size_t len, struct message_reply *reply);

#endif
