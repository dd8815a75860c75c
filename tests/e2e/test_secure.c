/* Both APIs of the client over TLS: whom they trust, who they are, large values and many, threads, and a daemon that is
 * no friend of TLS.
 */
#define _GNU_SOURCE
#include <check.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/millrace_parking.h"
#include "tests/lib/certificates.h"
#include "tests/lib/client.h"
#include "tests/lib/suite.h"

#define TOKEN "mrt_00112233445566778899aabbccddeeff_0000000000000000000000000000000000000000000000000000000000000001"
#define HASH                                                                                                           \
	"sha256:00112233445566778899aabbccddeeff:"                                                                     \
	"9146af80f94b9f28f96e6d9966cba5502d503b16c24f4a59070d84874378dc0e"

static char *directory, *ca, *other_ca, *client_cert, *client_key;
static struct daemon *d;
static char url[64], wrong_url[64];

static char *path_of(const char *name)
{
	char *path;
	ck_assert_int_gt(asprintf(&path, "%s/%s", directory, name), 0);
	return path;
}

static void setup(void)
{
	char *text;
	directory = directory_create();
	certificate_write(directory, "daemon", "localhost");
	certificate_write(directory, "other", "localhost");
	certificate_write(directory, "client", "somebody");
	ca = path_of("daemon.pem");
	other_ca = path_of("other.pem");
	client_cert = path_of("client.pem");
	client_key = path_of("client.key");
	ck_assert_int_gt(asprintf(&text,
				  "tls: {cert: %s, key: %s/daemon.key, ca: %s}\n"
				  "users:\n  t: {token: '" HASH "', put: '*', take: '*', observe: '*', manage: '*'}\n"
				  "  c: {certificate: CN=somebody, put: '*', take: '*', observe: '*'}\n"
				  "channels: {c: {kind: bounded, capacity: 100}}\n",
				  ca, directory, client_cert),
			 0);
	char *config = directory_write(directory, "c.yaml", text);
	free(text);
	ck_assert_int_eq(chmod(config, 0600), 0);
	d = daemon_start(
		(const char *[]){"-c", config, "--listen", "tcp://127.0.0.1:0", "--listen", "tls://127.0.0.1:0", NULL});
	free(config);
	const char *port = strrchr(daemon_tls_url(d), ':');
	snprintf(url, sizeof(url), "tls://localhost%s", port);
	snprintf(wrong_url, sizeof(wrong_url), "tls://127.0.0.1%s", port);
}

static void teardown(void)
{
	daemon_stop(d);
	directory_destroy(directory);
	free(ca);
	free(other_ca);
	free(client_cert);
	free(client_key);
}

static mr *connect_with(struct mr_options options)
{
	mr *m;
	options.tls.ca = options.tls.ca ? options.tls.ca : ca;
	IS(MR_OK, mr_connect(&m, url, &options));
	return m;
}

/* -- blocking -- */

START_TEST(by_token_and_by_certificate)
{
	mr *m = connect_with((struct mr_options){.token = TOKEN});
	client_put(m, "c", "\"by token\"");
	mr_destroy(m);
	m = connect_with((struct mr_options){.tls = {.cert = client_cert, .key = client_key}});
	client_take(m, "c", "\"by token\"");
	json_t *hello;
	IS(MR_OK, mr_hello(m, &hello));
	ck_assert_str_eq(json_string_value(json_object_get(hello, "user")), "c");
	json_decref(hello);
	FAILS(MR_EDENIED, "manage on \"c\"", mr_close(m, "c"));
	mr_destroy(m);
}
END_TEST

START_TEST(whom_it_does_not_trust)
{
	mr *m;
	struct mr_options options = {.token = TOKEN};
	FAILS(MR_ECONNECT, "self-signed", mr_connect(&m, url, &options));
	options.tls.ca = other_ca;
	FAILS(MR_ECONNECT, "certificate cannot be trusted", mr_connect(&m, url, &options));
	options.tls.ca = ca;
	FAILS(MR_ECONNECT, "IP address mismatch", mr_connect(&m, wrong_url, &options));
	options.tls = (struct mr_tls_options){.insecure_accept_any_certificate = true};
	IS(MR_OK, mr_connect(&m, wrong_url, &options));
	mr_destroy(m);
}
END_TEST

START_TEST(mistakes)
{
	mr *m;
	struct mr_options options = {.tls = {.ca = "/nonexistent"}};
	FAILS(MR_EARGUMENT, "No such file", mr_connect(&m, url, &options));
	options.tls = (struct mr_tls_options){.ca = ca, .cert = client_cert};
	FAILS(MR_EARGUMENT, "needs its key", mr_connect(&m, url, &options));
	options.tls = (struct mr_tls_options){.ca = ca, .cert = client_cert, .key = client_cert};
	FAILS(MR_EARGUMENT, "the key", mr_connect(&m, url, &options));
	options.tls = (struct mr_tls_options){.ca = ca};
	FAILS(MR_EUNAUTHENTICATED, "token", mr_connect(&m, url, &options));
	options.token = "x";
	FAILS(MR_EUNAUTHENTICATED, "token", mr_connect(&m, url, &options));
	char plain[80];
	snprintf(plain, sizeof(plain), "tls://localhost%s", strrchr(daemon_url(d), ':'));
	FAILS(MR_ECONNECT, "TLS", mr_connect(&m, plain, &options)); /* where no TLS is spoken */
	snprintf(plain, sizeof(plain), "tcp://localhost%s", strrchr(url, ':'));
	FAILS(MR_EBAD_REQUEST, "tls://", mr_connect(&m, plain, &options)); /* and the other way round */
}
END_TEST

START_TEST(large_values)
{
	static char bytes[900000];
	mr *m = connect_with((struct mr_options){.token = TOKEN});
	for (size_t len = 2; len <= sizeof(bytes); len = len * 3 + 1) {
		memset(bytes, 'x', len);
		bytes[0] = bytes[len - 1] = '"';
		IS(MR_OK, mr_put_raw(m, "c", bytes, len, MR_FOREVER));
		char *taken;
		size_t taken_len;
		IS(MR_OK, mr_take_raw(m, "c", &taken, &taken_len, MR_FOREVER));
		ck_assert_uint_eq(taken_len, len);
		ck_assert_mem_eq(taken, bytes, len);
		mr_free(taken);
	}
	mr_destroy(m);
}
END_TEST

enum { THREADS = 8, VALUES = 500 };

static void *put_and_take(void *argument)
{
	mr *m = argument;
	for (int i = 0; i < VALUES; i++) {
		json_t *value = json_integer(i), *taken;
		ck_assert_int_eq(mr_put(m, "c", value, MR_FOREVER), MR_OK);
		ck_assert_int_eq(mr_take(m, "c", &taken, MR_FOREVER), MR_OK);
		json_decref(value);
		json_decref(taken);
	}
	return NULL;
}

START_TEST(threads_share_a_connection)
{
	pthread_t threads[THREADS];
	mr *m = connect_with((struct mr_options){.token = TOKEN});
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, put_and_take, m), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(client_stat(m, "c", "taken"), THREADS * VALUES);
	mr_destroy(m);
}
END_TEST

/* -- parking -- */

static struct event_base *base;
static int n_put, n_taken, n_failed;
static char failure[320];

static void on_news(mr_parking *p, const struct mr_news *news, void *argument)
{
	(void)p, (void)argument;
	if (news->event != MR_EVENT_FAILED)
		return;
	n_failed++;
	snprintf(failure, sizeof(failure), "%s", news->message);
	event_base_loopbreak(base);
}

static void on_put(mr_parking *p, const struct mr_outcome *outcome, void *argument)
{
	(void)p, (void)argument;
	ck_assert_msg(outcome->status == MR_OK, "%s", outcome->message);
	n_put++;
}

static void on_taken(mr_parking *p, const struct mr_outcome *outcome, void *argument)
{
	(void)p, (void)argument;
	ck_assert_msg(outcome->status == MR_OK, "%s", outcome->message);
	ck_assert_uint_eq(outcome->raw_len, 100000);
	if (++n_taken == 50)
		event_base_loopbreak(base);
}

START_TEST(parking)
{
	static char bytes[100000];
	struct mr_parking_options options = {.token = TOKEN, .tls = {.ca = ca}, .on_news = on_news};
	mr_parking *p;
	base = event_base_new();
	memset(bytes, 'y', sizeof(bytes));
	bytes[0] = bytes[sizeof(bytes) - 1] = '"';
	IS(MR_OK, mr_parking_create(&p, base, url, &options));
	for (int i = 0; i < 50; i++) {
		IS(MR_OK, mr_park_put(p, "c", bytes, sizeof(bytes), MR_FOREVER, on_put, NULL, NULL));
		IS(MR_OK, mr_park_take(p, "c", NULL, MR_FOREVER, on_taken, NULL, NULL));
	}
	ck_assert_int_eq(event_base_dispatch(base), 0);
	ck_assert_int_eq(n_put, 50);
	ck_assert_int_eq(n_taken, 50);
	ck_assert_int_eq(n_failed, 0);
	mr_parking_destroy(p);
	event_base_free(base);
}
END_TEST

START_TEST(parking_trusts_nobody_else)
{
	struct mr_parking_options options = {.token = TOKEN, .tls = {.ca = other_ca}, .on_news = on_news};
	mr_parking *p;
	base = event_base_new();
	IS(MR_OK, mr_parking_create(&p, base, url, &options));
	ck_assert_int_eq(event_base_dispatch(base), 0);
	ck_assert_int_eq(n_failed, 1);
	ck_assert_msg(strstr(failure, "certificate cannot be trusted") != NULL, "%s", failure);
	mr_parking_destroy(p);
	event_base_free(base);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {by_token_and_by_certificate,
				      whom_it_does_not_trust,
				      mistakes,
				      large_values,
				      threads_share_a_connection,
				      parking,
				      parking_trusts_nobody_else,
				      NULL};
	Suite *suite = suite_create("the client over TLS");
	suite_case(suite, "tls", setup, teardown, tests);
	return suite_run(suite);
}
