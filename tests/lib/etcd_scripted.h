/* The etcd client and two scripted servers on one loop: which of them it knows, for how long it waits for them, and
 * what they answer. */
#ifndef MILLRACE_TESTS_ETCD_SCRIPTED_H
#define MILLRACE_TESTS_ETCD_SCRIPTED_H

#include "tests/lib/etcd_fixture.h"
#include "tests/lib/scripted_http.h"

#define HEADER            "\"header\":{\"cluster_id\":\"77\",\"member_id\":\"1\",\"revision\":\"12\",\"raft_term\":\"2\"}"
#define SUCCEEDED         "{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_put\":{}}]}"
#define FAILED            "{" HEADER "}"
#define ERROR(code, text) "{\"error\":\"" text "\",\"message\":\"" text "\",\"code\":" #code "}"

extern struct scripted_http *server, *other;

/* For how long a try and a whole call wait. `patient` is for where an answer comes: it is there in time on any machine.
 * With the others a test waits for that long until nothing has come. */
struct haste {
	uint32_t try_ms, call_ms;
};
extern const struct haste patient, hasty, endless, turning, brief;

void etcd_scripted_setup(void); /* an engine that is patient with `server` */
void etcd_scripted_teardown(void);

/* Another engine in place of the one there is. */
void use(struct haste haste);
void use_both(struct haste haste);
void use_user(struct haste haste); /* who logs in */

/* What `server` answers: one after the other, or always the same. */
void script(const struct scripted_answer *answers, size_t n);
#define SCRIPT(...)                                                                                                    \
	script((const struct scripted_answer[]){__VA_ARGS__},                                                          \
	       sizeof((const struct scripted_answer[]){__VA_ARGS__}) / sizeof(struct scripted_answer))
void answers_always(const char *body);
const char *body_of(size_t i); /* of a request to `server` */

void transact(void); /* one comparison, one write */
void range(size_t limit);
void is_result(enum engine_result result, const char *words); /* of `told`, whose message has these words */

#endif
