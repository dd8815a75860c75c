/* The request broker against the real daemon: answers of every kind, from servers good and bad, and requests that get
 * none. */
#include <string.h>

#include "tests/lib/patterns_fixture.h"

enum { ASKERS = 6, QUESTIONS = 50, PATIENCE_MS = 20000 };

static struct mr_service_counts counts;

static int run_serve(void *service)
{
	return mr_serve(m, service, &counts);
}

static void expect_counts(uint64_t taken, uint64_t answered, uint64_t unanswered, uint64_t malformed)
{
	ck_assert_uint_eq(counts.taken, taken);
	ck_assert_uint_eq(counts.answered, answered);
	ck_assert_uint_eq(counts.unanswered, unanswered);
	ck_assert_uint_eq(counts.malformed, malformed);
}

static int answer(void *context, json_t *request, json_t **reply)
{
	const char *word = json_string_value(request);

	(void)context;
	if (json_is_integer(request))
		*reply = json_integer(json_integer_value(request) * 2);
	else if (!word)
		return MR_EDENIED; /* without words of its own */
	else if (strcmp(word, "same") == 0)
		*reply = json_incref(request);
	else if (strcmp(word, "huge") == 0)
		*reply = json_sprintf("%1100000s", "huge");
	else if (strcmp(word, "wait") == 0)
		IS(MR_OK, mr_take(m, "other", NULL, MR_FOREVER));
	else if (strcmp(word, "nothing") != 0) {
		*reply = json_sprintf("no %s here", word);
		return 7;
	}
	return MR_OK;
}

static struct mr_service service = {.channel = "meet", .n = 3, .answer = answer};

static int ask(const char *json, int64_t timeout_ms, json_t **reply)
{
	json_t *request = json_loads(json, JSON_DECODE_ANY, NULL);
	int status = mr_ask(m, service.channel, request, timeout_ms, reply);

	json_decref(request);
	return status;
}

static int ask_much(void *context)
{
	int base = *(int *)context;

	for (int i = 0; i < QUESTIONS; i++) {
		json_t *request = json_integer(base + i), *reply;

		IS(MR_OK, mr_ask(m, service.channel, request, PATIENCE_MS, &reply));
		ck_assert_int_eq(json_integer_value(reply), 2 * (base + i));
		json_decref(reply);
		json_decref(request);
	}
	return MR_OK;
}

START_TEST(everybody_gets_the_answer_to_his_own_question)
{
	struct running server, askers[ASKERS];
	int bases[ASKERS];

	running_start(&server, run_serve, &service);
	for (int i = 0; i < ASKERS; i++) {
		bases[i] = i * 1000;
		running_start(&askers[i], ask_much, &bases[i]);
	}
	for (int i = 0; i < ASKERS; i++)
		IS(MR_OK, running_join(&askers[i]));
	IS(MR_OK, mr_close(eye, "meet"));
	IS(MR_OK, running_join(&server));
	expect_counts(ASKERS * QUESTIONS, ASKERS * QUESTIONS, 0, 0);
	IS(MR_CLOSED, ask("1", PATIENCE_MS, NULL));
}
END_TEST

START_TEST(answers_of_every_kind)
{
	struct running server;
	json_t *reply;

	running_start(&server, run_serve, &service);
	IS(MR_OK, ask("\"same\"", PATIENCE_MS, &reply));
	ck_assert_str_eq(json_string_value(reply), "same");
	json_decref(reply);
	IS(MR_OK, ask("\"nothing\"", PATIENCE_MS, &reply));
	ck_assert(json_is_null(reply));
	IS(MR_OK, ask("1", PATIENCE_MS, NULL));
	FAILS(MR_EFAILED, "no bread here", ask("\"bread\"", PATIENCE_MS, &reply));
	ck_assert_ptr_null(reply);
	FAILS(MR_EFAILED, "denied", ask("[]", PATIENCE_MS, &reply));
	FAILS(MR_EFAILED, "larger", ask("\"huge\"", PATIENCE_MS, &reply));
	IS(MR_OK, mr_close(eye, "meet"));
	IS(MR_OK, running_join(&server));
	expect_counts(6, 6, 0, 0);
}
END_TEST

START_TEST(nobody_answers)
{
	json_t *value;

	IS(MR_TIMEOUT, ask("1", 5, NULL)); /* it has not even been taken, and is withdrawn */
	await_stat("meet", "parked_puts", 0);
	service.channel = "in";
	IS(MR_TIMEOUT, ask("1", 5, NULL));
	ck_assert_int_eq(stat_of("in", "buffered"), 1);
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, mr_serve(m, &service, &counts)); /* too late */
	expect_counts(1, 0, 1, 0);
	channel("drop", "dropping", 1);
	put("drop", "1");
	service.channel = "drop";
	IS(MR_DROPPED, ask("1", PATIENCE_MS, NULL));
	service.channel = "nowhere";
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", ask("1", PATIENCE_MS, NULL));
	FAILS(MR_EARGUMENT, "time-out", ask("1", MR_FOREVER, &value));
	FAILS(MR_EARGUMENT, "NULL", mr_ask(m, "meet", NULL, 1, &value));
	FAILS(MR_EARGUMENT, "channel", mr_serve(m, NULL, &counts));
	FAILS(MR_EARGUMENT, "answer", mr_serve(m, &(struct mr_service){.channel = "meet", .n = 1}, &counts));
	FAILS(MR_EARGUMENT, "workers", mr_serve(m, &(struct mr_service){.channel = "meet", .answer = answer}, &counts));
}
END_TEST

START_TEST(what_is_no_request_hurts_nobody)
{
	static const char *const malformed[] = {"1",
						"[]",
						"{}",
						"\"x\"",
						"{\"request\":1}",
						"{\"reply_to\":\"_r.x\"}",
						"{\"reply_to\":7,\"request\":1}",
						"{\"reply_to\":\"out\",\"request\":1}",
						"1e999"};
	enum { N = sizeof malformed / sizeof *malformed };
	char *name, request[100];

	IS(MR_OK, mr_create(eye, NULL, &(struct mr_definition){.kind = "unbuffered", .ephemeral = true}, NULL, &name));
	for (size_t i = 0; i < N; i++)
		put("in", malformed[i]);
	put("in", "{\"reply_to\":\"_r.gone\",\"request\":1}");
	snprintf(request, sizeof request, "{\"reply_to\":\"%s\",\"request\":1}",
		 name); /* which has no room for an answer */
	put("in", request);
	IS(MR_OK, mr_close(eye, "in"));
	service.channel = "in";
	IS(MR_OK, run_serve(&service));
	expect_counts(N + 2, 0, 2, N);
	expect_values("out", "[]");
	IS(MR_OK, mr_delete(eye, name, false, NULL));
	mr_free(name);
}
END_TEST

static int ask_one(void *json)
{
	return ask(json, PATIENCE_MS, NULL);
}

START_TEST(a_server_of_another_make)
{
	static const char *const odd[] = {"1", "{}", "{\"error\":5}"};
	struct running asker;

	for (size_t i = 0; i < 3; i++) {
		json_t *request;

		running_start(&asker, ask_one, (char[]){"1"});
		IS(MR_OK, mr_take(eye, "meet", &request, MR_FOREVER));
		put(json_string_value(json_object_get(request, "reply_to")), odd[i]);
		json_decref(request);
		IS(MR_EPROTOCOL, running_join(&asker));
		ck_assert_msg(strstr(patterns_message, "no reply"), "%s", patterns_message);
	}
}
END_TEST

START_TEST(patience_is_the_askers_and_not_the_daemons)
{
	struct running asker;
	json_t *request;
	int status;

	running_start(&asker, ask_one, (char[]){"4"});
	await_waiters(4); /* puts */
	while ((status = mr_take(eye, "meet", &request, MR_FOREVER)) == MR_TIMEOUT)
		;
	IS(MR_OK, status);
	await_waiters(4); /* takes */
	put(json_string_value(json_object_get(request, "reply_to")), "{\"reply\":8}");
	json_decref(request);
	IS(MR_OK, running_join(&asker));
}
END_TEST

START_TEST(a_server_is_stopped)
{
	struct running server, asker;

	service.stop = "stop";
	running_start(&server, run_serve, &service);
	running_start(&asker, ask_one, (char[]){"\"wait\""});
	await_stat("other", "parked_takes", 1);
	await_stat("meet", "parked_takes", 2);
	put("stop", "1");
	await_stat("meet", "parked_takes", 0);
	put("other", "1");
	IS(MR_OK, running_join(&asker)); /* what was begun is answered */
	IS(MR_CANCELLED, running_join(&server));
	expect_counts(1, 1, 0, 0);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {
		everybody_gets_the_answer_to_his_own_question,
		answers_of_every_kind,
		nobody_answers,
		what_is_no_request_hurts_nobody,
		a_server_of_another_make,
		a_server_is_stopped,
		NULL,
	};
	const TTest *const impatient[] = {patience_is_the_askers_and_not_the_daemons, NULL};
	Suite *suite = suite_create("broker");

	suite_case(suite, "broker", patterns_setup, patterns_teardown, all);
	suite_case(suite, "impatient", patterns_setup_impatient, patterns_teardown, impatient);
	return suite_run(suite);
}
