#include "tests/lib/etcd_scripted.h"

#include <check.h>
#include <string.h>

const struct haste patient = {20000, 50000}, hasty = {250, 300}, endless = {500, 800}, turning = {100, 10000},
		   brief = {100, 500};

struct scripted_http *server, *other;

static struct engine *make_engine(const char *const *urls, size_t n, const char *user, struct haste haste)
{
	return engine_make(&(struct etcd_settings){.endpoints = urls,
						   .n_endpoints = n,
						   .prefix = "/m",
						   .user = user,
						   .password = user ? "pass\"word" : NULL,
						   .try_ms = haste.try_ms,
						   .call_ms = haste.call_ms});
}

void etcd_scripted_setup(void)
{
	told = (struct told){0};
	loop = loop_create();
	server = scripted_http_start(loop);
	other = scripted_http_start(loop);
	engine = make_engine((const char *[]){scripted_http_url(server)}, 1, NULL, patient);
}

void use_both(struct haste haste)
{
	etcd_destroy(engine);
	engine = make_engine((const char *[]){scripted_http_url(server), scripted_http_url(other)}, 2, NULL, haste);
}

void use(struct haste haste)
{
	etcd_destroy(engine);
	engine = make_engine((const char *[]){scripted_http_url(server)}, 1, NULL, haste);
}

void use_user(struct haste haste)
{
	etcd_destroy(engine);
	engine = make_engine((const char *[]){scripted_http_url(server)}, 1, "me", haste);
}

void etcd_scripted_teardown(void)
{
	etcd_destroy(engine);
	scripted_http_stop(server);
	scripted_http_stop(other);
	loop_destroy(loop);
}

void script(const struct scripted_answer *answers, size_t n)
{
	scripted_http_script(server, answers, n, false);
}

void answers_always(const char *body)
{
	scripted_http_script(server, &(struct scripted_answer){.status = 200, .body = body}, 1, true);
}

const char *body_of(size_t i)
{
	return scripted_http_request(server, i)->body;
}

void transact(void)
{
	engine->calls->transact(engine, &me,
				&(struct engine_transaction){
					.compares = &(struct engine_compare){ENGINE_IS, SLICE("o"), SLICE("mine")},
					.n_compares = 1,
					.writes = &(struct engine_write){.key = SLICE("k"), .value = SLICE("v")},
					.n_writes = 1,
				},
				tell, NULL);
}

void range(size_t limit)
{
	engine->calls->range(engine, &me, SLICE("a"), SLICE("b"), limit, false, tell, NULL);
}

void is_result(enum engine_result result, const char *words)
{
	ck_assert_msg(told.answer.result == result, "result %d: %s", told.answer.result, told.message);
	ck_assert_msg(strstr(told.message, words) != NULL, "\"%s\" has no \"%s\"", told.message, words);
	for (const char *at = told.message; *at; at++)
		ck_assert_int_ge(*at, ' ');
}
