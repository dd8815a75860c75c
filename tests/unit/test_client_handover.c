/* The client's machine and several daemons that are one service, with a clock that only the test moves: what becomes of
 * its requests while groups go from one to another, and daemons away. */
#include <check.h>
#include <string.h>

#include "tests/lib/network_fixture.h"
#include "tests/lib/suite.h"

/* -- hand-over -- */

/* Puts with an answer, or most without, and the group goes from one daemon to another in the midst of them, and on. */
static void hand_over(size_t piece, int after, bool stops, bool is_answered)
{
	struct machine_settings narrow = network_settings;

	narrow.window = is_answered ? 3 : 0;
	network_again(&narrow);
	network.piece = piece;
	cluster_own_after("default", stops ? -1 : B, after);
	for (int i = 0; i < 30; i++) {
		if (is_answered || i % 7 == 0)
			sim_put(i, "jobs", MR_FOREVER);
		else
			sim_put_unanswered(i, "jobs");
		if (i % 4 == 0) /* the others make runs, most of which have no id */
			network_settle_once();
	}
	network_run_until(now_ms + 3 * CLUSTER_RETRY_MS);
	cluster_own("default", C);
	for (int i = 30; i < 40; i++)
		sim_put_unanswered(i, "jobs");
	network_run_until(now_ms + 3 * CLUSTER_RETRY_MS);
	for (int i = 0; i < 40; i++)
		sim_ended(i, MR_OK);
	sim_expect_numbers(cluster_values("jobs"), 40);
	ck_assert_uint_eq(machine.n_numbered, 0);
	ck_assert_uint_eq(machine.n_waiting_bytes, 0);
}

START_TEST(a_hand_over_loses_no_put_doubles_none_and_keeps_their_order)
{
	for (int after = 1; after <= 30; after++) {
		for (size_t piece = 40; piece < 1000; piece += 57) {
			for (int i = 0; i < 4; i++)
				hand_over(piece, after, i & 1, i & 2);
		}
	}
}
END_TEST

START_TEST(parked_takes_go_along)
{
	sim_take(0, "jobs", 0, MR_FOREVER);
	sim_take(1, "jobs", 1000, MR_FOREVER);
	network_settle();
	cluster_own("default", B);
	sim_put(2, "jobs", MR_FOREVER);
	sim_put(3, "jobs", MR_FOREVER);
	network_settle();
	sim_ended(0, MR_OK);
	sim_ended(1, MR_OK);
	ck_assert_str_eq(requests[0].value, "2"); /* in their order */
	ck_assert_str_eq(requests[1].value, "3");
}
END_TEST

START_TEST(what_is_cancelled_does_not_go_along)
{
	sim_take(0, "jobs", 0, MR_FOREVER);
	network_settle();
	requests[0].base.is_cancelled = true; /* the request for that is on its way */
	cluster_own("default", B);
	network_settle();
	sim_ended(0, MR_CANCELLED);
}
END_TEST

START_TEST(a_cancelled_put_that_may_be_in_is_asked_for_at_its_successor)
{
	cluster_own("orders", B);
	network_settle();
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	network.piece = 10;
	while (json_array_size(cluster_values("{orders}.jobs")) == 0)
		network_settle_once();
	sim_runs_still(0); /* its answer is on its way */
	cluster_own("orders", -1);
	network_kill_daemon(B);
	network.piece = 1 << 20;
	network_run_until(now_ms + 100);
	ck_assert_int_eq(requests_cancel(&requests[0].base), MR_OK);
	network_run_until(now_ms + 100);
	sim_runs_still(0);
	cluster_own("orders", C);
	network_run_until(now_ms + 100);
	sim_ended(0, MR_OK);
	sim_expect_numbers(cluster_values("{orders}.jobs"), 1);
}
END_TEST

START_TEST(a_cancel_goes_to_whom_was_asked)
{
	cluster_own("orders", B);
	sim_take(0, "{orders}.jobs", 0, MR_FOREVER);
	network_settle();
	ck_assert_int_eq(requests_cancel(&requests[0].base), MR_OK);
	network_settle();
	sim_ended(0, MR_CANCELLED);
	ck_assert_ptr_nonnull(strstr(cluster_ops(B), "cancel"));
	ck_assert_ptr_null(strstr(cluster_ops(A), "cancel"));
}
END_TEST

/* -- fail-over -- */

START_TEST(when_the_owner_is_killed_what_can_be_is_sent_again_to_its_successor)
{
	cluster_own("orders", B);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	network_settle();
	sim_take(40, "{orders}.none", 1000, MR_FOREVER);
	sim_take(41, "{orders}.none", 0, MR_FOREVER);
	network_settle();
	for (int i = 1; i < 20; i++)
		sim_put_unanswered(i, "{orders}.jobs");
	network.piece = 200;
	for (int i = 0; i < 5; i++)
		network_settle_once();
	cluster_own("orders", -1);
	network_kill_daemon(B);
	network.piece = 1 << 20;
	network_run_until(now_ms + 100);
	sim_ended(41, MR_ECONNECTION);
	cluster_own("orders", C);
	network_run_until(now_ms + 100);
	for (int i = 0; i < 20; i++)
		sim_ended(i, MR_OK);
	sim_expect_numbers(cluster_values("{orders}.jobs"), 20);
	sim_put(42, "{orders}.none", MR_FOREVER);
	network_settle();
	sim_ended(40, MR_OK);
}
END_TEST

START_TEST(when_home_is_killed_the_others_are_asked)
{
	sim_take(0, "jobs", 1000, MR_FOREVER);
	network_settle();
	cluster_own("default", C);
	network_kill_daemon(A);
	network_settle(); /* without a pause: any of them will do */
	sim_put(1, "jobs", MR_FOREVER);
	network_settle();
	sim_ended(0, MR_OK);
	sim_ended(1, MR_OK);
}
END_TEST

START_TEST(while_its_owner_does_not_answer_a_group_is_asked_for_elsewhere)
{
	network.is_gone[B] = true;
	cluster_own("orders", B);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	network_run_until(now_ms + MACHINE_ASK_AGAIN_MS / 2);
	cluster_own("orders", C);
	network_run_until(now_ms + MACHINE_ASK_AGAIN_MS / 2);
	sim_ended(0, MR_OK);
}
END_TEST

START_TEST(an_owner_that_refuses_is_not_asked_all_the_time)
{
	network.is_down[B] = true;
	cluster_own("orders", B);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	network_run_until(now_ms + 3000);
	sim_runs_still(0);
	ck_assert_int_lt(network.n_attempts, 60);
	ck_assert_int_gt(network.n_attempts, 10);
	network.is_down[B] = false;
	network_run_until(now_ms + 500);
	sim_ended(0, MR_OK);
}
END_TEST

START_TEST(an_impatient_request_waits_as_long_as_it_may)
{
	struct machine_settings impatient = network_settings;

	impatient.is_impatient = true;
	network_again(&impatient);
	sim_put(0, "jobs", MR_FOREVER);
	network_settle();
	network.is_down[B] = true;
	cluster_own("orders", B);
	sim_put(1, "{orders}.jobs", 3000);
	network_run_until(now_ms + 2500);
	sim_runs_still(1);
	cluster_own("orders", C);
	network_run_until(now_ms + 400);
	sim_ended(1, MR_OK);
}
END_TEST

START_TEST(without_reopening_moves_are_followed_and_ends_are_ends)
{
	struct machine_settings once = network_settings;

	once.reopens = false;
	network_again(&once);
	cluster_own("orders", B);
	sim_put_unanswered(0, "{orders}.jobs");
	sim_put_unanswered(1, "{orders}.jobs");
	network_settle();
	sim_ended(0, MR_OK);
	sim_ended(1, MR_OK);
	sim_take(2, "{orders}.none", 1000, MR_FOREVER);
	network_settle();
	network_kill_daemon(B);
	sim_ended(2, MR_ECONNECTION);
	cluster_own("orders", C);
	sim_put(3, "{orders}.jobs", MR_FOREVER); /* home is still there */
	network_settle();
	sim_ended(3, MR_OK);
	network_kill_daemon(A);
	network_settle();
	ck_assert_int_eq(machine.home->state, CONTACT_ENDED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: hand-over and fail-over");
	const TTest *const tests[] = {
		a_hand_over_loses_no_put_doubles_none_and_keeps_their_order,
		parked_takes_go_along,
		what_is_cancelled_does_not_go_along,
		a_cancelled_put_that_may_be_in_is_asked_for_at_its_successor,
		a_cancel_goes_to_whom_was_asked,
		when_the_owner_is_killed_what_can_be_is_sent_again_to_its_successor,
		when_home_is_killed_the_others_are_asked,
		while_its_owner_does_not_answer_a_group_is_asked_for_elsewhere,
		an_owner_that_refuses_is_not_asked_all_the_time,
		an_impatient_request_waits_as_long_as_it_may,
		without_reopening_moves_are_followed_and_ends_are_ends,
		NULL,
	};

	suite_case(suite, "machine", network_setup, network_teardown, tests);
	return suite_run(suite);
}
