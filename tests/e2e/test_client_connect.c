/* Connections of the client library: by every address, to what is no daemon, and in a child process. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/millrace.h"
#include "client/millrace_stream.h"
#include "tests/lib/client_fixture.h"
#include "tests/lib/suite.h"

/* -- connecting -- */

START_TEST(connects_by_every_address)
{
	mr *other = client_connect(daemon_unix_url(d));
	json_t *hello = NULL;

	IS(MR_OK, mr_ping(other, MR_FOREVER));
	IS(MR_OK, mr_hello(other, &hello));
	ck_assert_int_eq(json_integer_value(json_object_get(hello, "protocol")), 1);
	ck_assert_ptr_nonnull(json_object_get(hello, "max_frame_bytes"));
	json_decref(hello);
	mr_destroy(other);
	setenv("MILLRACE_URL", daemon_url(d), 1);
	mr_destroy(client_connect(NULL));
	mr_destroy(NULL);
}
END_TEST

START_TEST(says_why_it_cannot_connect)
{
	mr *none = m;

	FAILS(MR_EARGUMENT, "tcp://", mr_connect(&none, "http://x", NULL));
	ck_assert_ptr_null(none);
	FAILS(MR_ECONNECT, "no.sock", mr_connect(&none, "unix:///nowhere/no.sock", NULL));
	FAILS(MR_ECONNECT, "tcp://127.0.0.1:1", mr_connect(&none, "tcp://127.0.0.1:1", NULL));
	FAILS(MR_EARGUMENT, "connect_timeout_ms",
	      mr_connect(&none, daemon_url(d), &(struct mr_options){.connect_timeout_ms = -1}));
	FAILS(MR_EARGUMENT, "UTF-8", mr_connect(&none, daemon_url(d), &(struct mr_options){.name = "\xff"}));
}
END_TEST

/* A listener that never accepts. */
static int deaf_listener(const char *path, int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

START_TEST(gives_up_on_who_never_says_hello)
{
	char *directory = directory_create(), path[100], url[120];
	mr *none;

	snprintf(path, sizeof path, "%s/deaf", directory);
	snprintf(url, sizeof url, "unix://%s", path);
	int fd = deaf_listener(path, 0);
	FAILS(MR_ECONNECT, "silent", mr_connect(&none, url, &(struct mr_options){.connect_timeout_ms = 20}));
	/* The one that was given up fills the queue: now connect() itself waits. */
	FAILS(MR_ECONNECT, "timed out", mr_connect(&none, url, &(struct mr_options){.connect_timeout_ms = 20}));
	close(fd);
	unlink(path);
	directory_destroy(directory);
}
END_TEST

static void *answer_http(void *argument)
{
	int fd = accept(*(int *)argument, NULL, NULL);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(send(fd, "HTTP/1.1 400 \r\n\r\n", 17, MSG_NOSIGNAL), 17);
	close(fd);
	return NULL;
}

START_TEST(knows_what_is_no_daemon)
{
	char *directory = directory_create(), path[100], url[120];
	pthread_t thread;
	mr *none;

	snprintf(path, sizeof path, "%s/http", directory);
	snprintf(url, sizeof url, "unix://%s", path);
	int fd = deaf_listener(path, 1);
	pthread_create(&thread, NULL, answer_http, &fd);
	FAILS(MR_EPROTOCOL, "", mr_connect(&none, url, NULL));
	pthread_join(thread, NULL);
	close(fd);
	unlink(path);
	directory_destroy(directory);
}
END_TEST

/* A daemon that greets, and says `closed` to all that comes, with what belongs to an `ok`. */
static void *answer_oddly(void *argument)
{
	int fd = accept(*(int *)argument, NULL, NULL);
	char bytes[4096], body[400];
	unsigned long long id;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof bytes - 1, 0)) > 4) {
		bytes[n] = '\0';
		ck_assert_int_eq(sscanf(strstr(bytes + 4, "\"id\":"), "\"id\":%llu", &id), 1);
		if (strstr(bytes + 4, "\"hello\""))
			snprintf(body, sizeof body,
				 "{\"id\":%llu,\"status\":\"ok\",\"protocol\":1,\"max_frame_bytes\":65536}", id);
		else
			snprintf(body, sizeof body,
				 "{\"id\":%llu,\"status\":\"closed\",\"value\":1,\"lease\":\"x\","
				 "\"deliveries\":1,\"origin\":{},\"arm\":0}",
				 id);
		ck_assert_int_eq(send(fd, (char[]){0, 0, (char)(strlen(body) >> 8), (char)strlen(body)}, 4, 0), 4);
		ck_assert_int_eq(send(fd, body, strlen(body), 0), (ssize_t)strlen(body));
	}
	close(fd);
	return NULL;
}

/* A leak would be told by the address sanitizer. */
START_TEST(a_status_that_is_not_expected_leaves_nothing_behind)
{
	char *directory = directory_create(), path[100], url[120], *json = directory;
	struct mr_arm arm = {.channel = "jobs"};
	struct mr_choice choice;
	struct mr_result result;
	pthread_t thread;
	json_t *tree = json_true();

	snprintf(path, sizeof path, "%s/odd", directory);
	snprintf(url, sizeof url, "unix://%s", path);
	int fd = deaf_listener(path, 1);
	pthread_create(&thread, NULL, answer_oddly, &fd);
	mr *odd = client_connect(url);
	IS(MR_CLOSED, mr_put_raw(odd, "jobs", "1", 1, 0));
	IS(MR_CLOSED, mr_take_raw(odd, "jobs", &json, NULL, 0));
	ck_assert_ptr_null(json);
	IS(MR_CLOSED, mr_take(odd, "jobs", &tree, 0));
	ck_assert_ptr_null(tree);
	IS(MR_CLOSED, mr_take_with(odd, "jobs", &(struct mr_take_options){.lease_ms = 1}, 0, &result));
	ck_assert_ptr_null(result.lease);
	IS(MR_CLOSED, mr_stat(odd, "jobs", &tree));
	IS(MR_CLOSED, mr_peek(odd, "jobs", 1, &tree));
	IS(MR_CLOSED, mr_list(odd, NULL, &tree));
	IS(MR_CLOSED, mr_delete(odd, "jobs", false, NULL));
	IS(MR_CLOSED, mr_alts(odd, &arm, 1, false, 0, &choice));
	ck_assert_ptr_null(choice.raw);
	mr_destroy(odd);
	pthread_join(thread, NULL);
	close(fd);
	unlink(path);
	directory_destroy(directory);
}
END_TEST

START_TEST(the_first_address_that_can_be_had_is_chosen)
{
	char urls[300];
	mr *made;

	snprintf(urls, sizeof urls, "unix:///nowhere/no.sock,  tcp://127.0.0.1:1 ,%s", daemon_url(d));
	mr_destroy(client_connect(urls));
	FAILS(MR_ECONNECT, "127.0.0.1:1",
	      mr_connect(&made, "unix:///nowhere/no.sock tcp://127.0.0.1:1", NULL)); /* the last one's reason */
	FAILS(MR_EARGUMENT, "http://x", mr_connect(&made, "tcp://127.0.0.1:1,http://x", NULL));
	setenv("MILLRACE_URL", urls, 1);
	mr_destroy(client_connect(NULL));
	snprintf(urls, sizeof urls, "tcp://localhost:%u", (unsigned)daemon_port(d));
	mr_destroy(client_connect(urls));
	FAILS(MR_ECONNECT, "cannot connect to tcp://name.invalid",
	      mr_connect(&made, "tcp://name.invalid", &(struct mr_options){.connect_timeout_ms = 500}));
}
END_TEST

/* -- fork -- */

/* The child's part: what it finds is its exit status. */
static int in_a_child(mr_request *begun, mr_consumer *consumer)
{
	struct mr_result result;
	json_t *hello;

	if (mr_put_raw(m, "jobs", "9", 1, 0) != MR_EARGUMENT || !strstr(mr_message(), "fork"))
		return 1;
	if (mr_wait(m, begun, NULL) != MR_EARGUMENT || mr_cancel(m, begun) != MR_EARGUMENT)
		return 2;
	if (mr_consumer_next(consumer, &result, 0) != MR_EARGUMENT || mr_hello(m, &hello) != MR_EARGUMENT)
		return 3;
	if (mr_fd(m) != -1)
		return 4;
	mr_consumer_destroy(consumer);
	mr_destroy(m);
	m = NULL;
	if (mr_connect(&m, daemon_url(d), NULL) != MR_OK || mr_put_raw(m, "jobs", "1", 1, 0) != MR_OK)
		return 5;
	mr_destroy(m);
	return 0;
}

START_TEST(a_child_has_no_part_in_its_parents_handle)
{
	mr_request *begun;
	mr_consumer *consumer;
	int status;

	IS(MR_OK, mr_begin_take(m, &begun, "meet", 0, MR_FOREVER));
	IS(MR_OK, mr_consumer_create(&consumer, m, "latest", NULL));
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(in_a_child(begun, consumer));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child: %d", status);
	client_take(m, "jobs", "1");
	IS(MR_OK, mr_cancel(m, begun));
	IS(MR_CANCELLED, mr_wait(m, begun, NULL));
	mr_consumer_destroy(consumer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: connecting");
	const TTest *const tests[] = {
		connects_by_every_address,
		the_first_address_that_can_be_had_is_chosen,
		says_why_it_cannot_connect,
		gives_up_on_who_never_says_hello,
		knows_what_is_no_daemon,
		a_status_that_is_not_expected_leaves_nothing_behind,
		a_child_has_no_part_in_its_parents_handle,
		NULL,
	};

	suite_case(suite, "calls", client_setup, client_teardown, tests);
	return suite_run(suite);
}
