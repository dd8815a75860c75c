/* The etcd client and a real etcd: that what is asked means there what engine.h says. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/certificates.h"
#include "tests/lib/etcd_fixture.h"
#include "tests/lib/etcd_server.h"
#include "tests/lib/suite.h"

enum { DEADLINE_US = 60000000, PAGES = 25 };

static struct etcd_server *server;

static struct engine *make_engine(const struct etcd_settings *settings)
{
	struct etcd_settings copy = *settings;
	const char *url = etcd_server_url(server);
	copy.endpoints = &url;
	copy.n_endpoints = 1;
	return engine_make(&copy);
}

static enum engine_result ask_status(void)
{
	engine->calls->status(engine, &me, tell, NULL);
	return run();
}

static void wait_until_up(void)
{
	uint64_t end_us = loop_clock_us() + DEADLINE_US;
	while (ask_status() != ENGINE_DONE)
		ck_assert_msg(loop_clock_us() < end_us, "%s", told.message);
}

static void setup(void)
{
	loop = loop_create();
	server = etcd_server_start("http", NULL);
	engine = make_engine(&(struct etcd_settings){.prefix = "/m"});
	wait_until_up();
}

static void teardown(void)
{
	etcd_destroy(engine);
	etcd_server_stop(server);
	loop_destroy(loop);
}

/* -- Calls with one compare and one write -- */

static enum engine_result put_if(enum engine_comparison how, const char *key, const char *is, const char *to,
				 const char *value, uint64_t lease)
{
	engine->calls->transact(engine, &me,
				&(struct engine_transaction){
					.compares = &(struct engine_compare){how, slice_from(key), slice_from(is)},
					.n_compares = 1,
					.writes = &(struct engine_write){.key = slice_from(to),
									 .value = slice_from(value),
									 .lease = lease},
					.n_writes = 1,
				},
				tell, NULL);
	return run();
}

static void put(const char *key, const char *value, uint64_t lease)
{
	ck_assert_msg(put_if(ENGINE_ABSENT, "nobody", "", key, value, lease) == ENGINE_DONE, "%s", told.message);
}

static void write_one(struct engine_write write)
{
	engine->calls->transact(engine, &me, &(struct engine_transaction){.writes = &write, .n_writes = 1}, tell, NULL);
	ck_assert_int_eq(run(), ENGINE_DONE);
}

/* How many rows there are; the last one is in `told`. */
static size_t count(const char *key, const char *end, size_t limit)
{
	engine->calls->range(engine, &me, slice_from(key), slice_from(end), limit, false, tell, NULL);
	ck_assert_msg(run() == ENGINE_DONE, "%s", told.message);
	return told.answer.n_rows;
}

START_TEST(comparisons)
{
	ck_assert_int_eq(put_if(ENGINE_IS, "k", "", "x", "1", 0), ENGINE_NOT_SO);
	ck_assert_int_eq(put_if(ENGINE_BELOW, "k", "9", "x", "1", 0), ENGINE_NOT_SO); /* there is none */
	ck_assert_int_eq(put_if(ENGINE_ABSENT, "k", "", "k", "5", 0), ENGINE_DONE);
	ck_assert_int_eq(put_if(ENGINE_ABSENT, "k", "", "k", "6", 0), ENGINE_NOT_SO);
	ck_assert_int_eq(put_if(ENGINE_IS, "k", "6", "x", "1", 0), ENGINE_NOT_SO);
	ck_assert_int_eq(put_if(ENGINE_IS, "k", "5", "x", "1", 0), ENGINE_DONE);
	ck_assert_int_eq(put_if(ENGINE_BELOW, "k", "5", "x", "2", 0), ENGINE_NOT_SO);
	ck_assert_int_eq(put_if(ENGINE_BELOW, "k", "4", "x", "2", 0), ENGINE_NOT_SO);
	ck_assert_int_eq(put_if(ENGINE_BELOW, "k", "50", "x", "2", 0), ENGINE_DONE);
	ck_assert_uint_eq(count("x", "", 1), 1);
	ck_assert_str_eq(told.value, "2");
}
END_TEST

START_TEST(ranges_in_pages_and_deletes)
{
	char key[16];
	for (int i = 0; i < PAGES; i++) {
		snprintf(key, sizeof(key), "j/%02d", i);
		put(key, key, 0);
	}
	put("i", "", 0);
	put("k", "", 0);
	ck_assert_uint_eq(count("j/", "j0", 10), 10);
	ck_assert(told.answer.has_more);
	ck_assert_str_eq(told.key, "j/09");
	ck_assert_str_eq(told.value, "j/09");
	ck_assert_uint_eq(count("j/20", "j0", 10), 5);
	ck_assert(!told.answer.has_more);
	ck_assert_uint_eq(count("nothing", "", 1), 0);
	write_one((struct engine_write){.key = SLICE("j/"), .end = SLICE("j/20")});
	ck_assert_uint_eq(count("j/", "j0", 100), 5);
	write_one((struct engine_write){.key = SLICE("k"), .is_delete = true});
	ck_assert_uint_eq(count("a", "z", 100), 6);
}
END_TEST

START_TEST(another_prefix_is_another_world)
{
	put("k", "1", 0);
	struct engine *mine = engine;
	engine = make_engine(&(struct etcd_settings){.prefix = "/other/"});
	ck_assert_uint_eq(count("a", "z", 10), 0);
	put("k", "2", 0);
	etcd_destroy(engine);
	engine = mine;
	ck_assert_uint_eq(count("a", "z", 10), 1);
	ck_assert_str_eq(told.value, "1");
}
END_TEST

/* For what may take its time on a machine that has other things to do. */
static void be_patient(void)
{
	etcd_destroy(engine);
	engine = make_engine(&(struct etcd_settings){.prefix = "/m", .try_ms = 10000, .call_ms = 60000});
}

START_TEST(large_values_come_in_smaller_pages)
{
	static char value[1024 * 1024];
	char key[16];
	memset(value, 'v', sizeof(value));
	be_patient();
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "j/%d", i);
		write_one((struct engine_write){.key = slice_from(key), .value = {value, sizeof(value)}});
	}
	size_t n = count("j/", "j0", 1000);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_lt(n, 10);
	ck_assert(told.answer.has_more);
	static char too_large[1600000];
	engine->calls->transact(
		engine, &me,
		&(struct engine_transaction){
			.writes = &(struct engine_write){.key = SLICE("k"), .value = {too_large, sizeof(too_large)}},
			.n_writes = 1},
		tell, NULL);
	ck_assert_int_eq(run(), ENGINE_REFUSED);
	ck_assert_ptr_nonnull(strstr(told.message, "too large"));
}
END_TEST

START_TEST(leases_keep_keys_and_take_them_along)
{
	engine->calls->grant(engine, &me, 2000, tell, NULL);
	ck_assert_int_eq(run(), ENGINE_DONE);
	uint64_t lease = told.answer.lease;
	ck_assert_uint_ge(told.answer.ttl_ms, 2000);
	put("m/a", "1", lease);
	ck_assert_uint_eq(count("m/a", "", 1), 1);
	engine->calls->keep_alive(engine, &me, lease, tell, NULL);
	ck_assert_int_eq(run(), ENGINE_DONE);
	ck_assert_uint_ge(told.answer.ttl_ms, 2000);
	engine->calls->revoke(engine, &me, lease, tell, NULL);
	ck_assert_int_eq(run(), ENGINE_DONE);
	ck_assert_uint_eq(count("m/a", "", 1), 0);
	engine->calls->keep_alive(engine, &me, lease, tell, NULL);
	ck_assert_int_eq(run(), ENGINE_NOT_SO);
	engine->calls->revoke(engine, &me, lease, tell, NULL);
	ck_assert_int_eq(run(), ENGINE_NOT_SO);
	ck_assert_int_eq(put_if(ENGINE_ABSENT, "nobody", "", "m/a", "2", lease), ENGINE_NOT_SO);
}
END_TEST

START_TEST(a_watch_hints_at_changes_and_at_the_end_of_a_lease)
{
	engine->calls->grant(engine, &me, 1000, tell, NULL);
	ck_assert_int_eq(run(), ENGINE_DONE);
	put("g/x", "1", told.answer.lease);
	engine->calls->watch(engine, &me, SLICE("g/"), on_hint, NULL);
	run_until(&n_hints, 1);
	put("g/y", "1", 0);
	run_until(&n_hints, 2);
	unsigned so_far = n_hints;
	run_until(&n_hints, so_far + 1); /* nobody keeps it alive */
	ck_assert_uint_eq(count("g/x", "", 1), 0);
}
END_TEST

START_TEST(history_is_compacted)
{
	for (int i = 0; i < 5; i++)
		put("k", "1", 0);
	uint64_t revision = told.answer.revision;
	for (int i = 0; i < 2; i++) {
		engine->calls->compact(engine, &me, revision - 1, tell, NULL);
		ck_assert_int_eq(run(), ENGINE_DONE);
	}
	engine->calls->compact(engine, &me, revision + 100, tell, NULL);
	ck_assert_int_eq(run(), ENGINE_REFUSED);
}
END_TEST

START_TEST(the_state_of_the_store)
{
	ck_assert_int_eq(ask_status(), ENGINE_DONE);
	unsigned major = 0, minor = 0;
	ck_assert_int_eq(sscanf(told.version, "%u.%u.", &major, &minor), 2);
	ck_assert(major > 3 || minor >= 4);
	ck_assert_uint_gt(told.answer.used_bytes, 0);
	ck_assert_uint_ge(told.answer.quota_bytes, (uint64_t)1 << 30);
}
END_TEST

START_TEST(one_that_dies_and_comes_back_is_found_again)
{
	put("k", "1", 0);
	engine->calls->watch(engine, &me, SLICE("k"), on_hint, NULL);
	run_until(&n_hints, 1);
	etcd_server_kill(server);
	ck_assert_int_eq(put_if(ENGINE_IS, "k", "1", "k", "2", 0), ENGINE_UNKNOWN);
	etcd_server_start_again(server);
	wait_until_up();
	unsigned so_far = n_hints;
	ck_assert_int_eq(put_if(ENGINE_IS, "k", "1", "k", "3", 0), ENGINE_DONE);
	run_until(&n_hints, so_far + 1);
}
END_TEST

/* Hundreds at once, each with its own answer. */
static unsigned n_done;

static void count_done(void *arg, const struct engine_answer *answer)
{
	(void)arg;
	ck_assert_msg(answer->result == ENGINE_DONE, "%s", answer->message);
	n_done++;
}

START_TEST(hundreds_at_once)
{
	be_patient();
	for (int i = 0; i < 500; i++)
		engine->calls->transact(
			engine, &me,
			&(struct engine_transaction){
				.writes = &(struct engine_write){.key = SLICE("k"), .value = SLICE("v")},
				.n_writes = 1,
			},
			count_done, NULL);
	run_until(&n_done, 500);
}
END_TEST

/* -- Rights, and TLS -- */

/* As an administrator would, with etcdctl. */
static void etcdctl(const char *command)
{
	char line[512];
	snprintf(line, sizeof(line), "ETCDCTL_API=3 etcdctl --endpoints=%s %s >/dev/null 2>&1 </dev/null",
		 etcd_server_url(server), command);
	ck_assert_msg(system(line) == 0, "%s", line);
}

START_TEST(a_user_with_rights_below_a_prefix)
{
	etcdctl("user add root:r");
	etcdctl("user grant-role root root");
	etcdctl("user add mill:race");
	etcdctl("role add mill");
	etcdctl("role grant-permission mill --prefix=true readwrite /m/");
	etcdctl("user grant-role mill mill");
	etcdctl("auth enable");
	ck_assert_int_eq(put_if(ENGINE_ABSENT, "k", "", "k", "1", 0), ENGINE_REFUSED);
	ck_assert_ptr_nonnull(strstr(told.message, "wants a user and a password"));
	etcd_destroy(engine);
	engine = make_engine(&(struct etcd_settings){.prefix = "/m", .user = "mill", .password = "wrong"});
	ck_assert_int_eq(put_if(ENGINE_ABSENT, "k", "", "k", "1", 0), ENGINE_REFUSED);
	ck_assert_ptr_nonnull(strstr(told.message, "authentication failed"));
	etcd_destroy(engine);
	engine = make_engine(&(struct etcd_settings){.prefix = "/n", .user = "mill", .password = "race"});
	ck_assert_int_eq(put_if(ENGINE_ABSENT, "k", "", "k", "1", 0), ENGINE_REFUSED);
	ck_assert_ptr_nonnull(strstr(told.message, "permission denied"));
	etcd_destroy(engine);
	engine = make_engine(&(struct etcd_settings){.prefix = "/m", .user = "mill", .password = "race"});
	put("k", "1", 0);
	engine->calls->watch(engine, &me, SLICE("k"), on_hint, NULL);
	run_until(&n_hints, 1);
	/* It forgets the token with its memory. */
	etcd_server_kill(server);
	etcd_server_start_again(server);
	uint64_t end_us = loop_clock_us() + DEADLINE_US;
	while (put_if(ENGINE_ABSENT, "nobody", "", "k", "2", 0) != ENGINE_DONE)
		ck_assert_msg(told.answer.result == ENGINE_UNKNOWN && loop_clock_us() < end_us, "%s", told.message);
}
END_TEST

START_TEST(a_user_where_there_is_none)
{
	etcd_destroy(engine);
	engine = make_engine(&(struct etcd_settings){.prefix = "/m", .user = "mill", .password = "race"});
	ck_assert_int_eq(put_if(ENGINE_ABSENT, "k", "", "k", "1", 0), ENGINE_REFUSED);
	ck_assert_ptr_nonnull(strstr(told.message, "authentication is not enabled"));
}
END_TEST

START_TEST(tls_with_certificates_on_both_sides)
{
	char directory[] = "/tmp/millrace-tls-XXXXXX", cert[64], key[64], ca[64], cert_arg[96], key_arg[96], ca_arg[96];
	ck_assert_ptr_nonnull(mkdtemp(directory));
	certificate_write(directory, "etcd", "localhost");
	certificate_write(directory, "mill", "localhost");
	snprintf(ca, sizeof(ca), "%s/etcd.pem", directory);
	snprintf(cert, sizeof(cert), "%s/mill.pem", directory);
	snprintf(key, sizeof(key), "%s/mill.key", directory);
	snprintf(cert_arg, sizeof(cert_arg), "--cert-file=%s", ca);
	snprintf(key_arg, sizeof(key_arg), "--key-file=%s/etcd.key", directory);
	/* Its gateway is a client of its own, with the certificate of the server. */
	snprintf(ca_arg, sizeof(ca_arg), "cat %s/*.pem >%s/both", directory, directory);
	ck_assert_int_eq(system(ca_arg), 0);
	snprintf(ca_arg, sizeof(ca_arg), "--trusted-ca-file=%s/both", directory);
	etcd_destroy(engine);
	etcd_server_stop(server);
	server = etcd_server_start("https", (const char *[]){cert_arg, key_arg, ca_arg, "--client-cert-auth", NULL});
	engine = make_engine(&(struct etcd_settings){.prefix = "/m", .ca = ca, .cert = cert, .key = key});
	wait_until_up();
	put("k", "1", 0);
	etcd_destroy(engine);
	engine = make_engine(&(struct etcd_settings){.prefix = "/m", .cert = cert, .key = key, .call_ms = 500});
	ck_assert_int_eq(ask_status(), ENGINE_UNKNOWN);
	ck_assert_ptr_nonnull(strcasestr(told.message, "certificate"));
	etcd_destroy(engine);
	engine = make_engine(&(struct etcd_settings){.prefix = "/m", .ca = "/nowhere", .call_ms = 500});
	ck_assert_int_eq(ask_status(), ENGINE_UNKNOWN);
	ck_assert_ptr_nonnull(strstr(told.message, "/nowhere"));
	snprintf(ca_arg, sizeof(ca_arg), "rm -rf '%s'", directory);
	ck_assert_int_eq(system(ca_arg), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("etcd, a real one");
	const TTest *const tests[] = {comparisons,
				      ranges_in_pages_and_deletes,
				      another_prefix_is_another_world,
				      large_values_come_in_smaller_pages,
				      leases_keep_keys_and_take_them_along,
				      a_watch_hints_at_changes_and_at_the_end_of_a_lease,
				      history_is_compacted,
				      the_state_of_the_store,
				      one_that_dies_and_comes_back_is_found_again,
				      hundreds_at_once,
				      a_user_with_rights_below_a_prefix,
				      a_user_where_there_is_none,
				      tls_with_certificates_on_both_sides,
				      NULL};
	suite_case(suite, "one node", setup, teardown, tests);
	return suite_run(suite);
}
