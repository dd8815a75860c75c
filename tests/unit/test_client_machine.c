/* The client's machine with a clock that only the test moves: what becomes of its requests over one connection that is
 * cut after any byte. */
#include <check.h>
#include <string.h>

#include "tests/lib/connection_fixture.h"
#include "tests/lib/suite.h"

enum { HEARTBEAT_MS = 1000 };

/* -- once -- */

/* Puts with an answer and without, in order, over a connection that ends after so many bytes. How many connections it
 * took. */
static int puts_over_a_cut(size_t cut_out, size_t cut_in)
{
	connection_begin();
	connection_network.cut_out = cut_out;
	connection_network.cut_in = cut_in;
	connection_start(&connection_settings);
	sim_put(0, "jobs", MR_FOREVER);
	for (int i = 1; i <= 8; i++)
		sim_put_unanswered(i, "jobs");
	sim_put(9, "jobs", MR_FOREVER);
	sim_put_unanswered(10, "jobs");
	connection_run_until(now_ms + 60000);
	for (int i = 0; i <= 10; i++)
		sim_ended(i, MR_OK);
	sim_expect_numbers(connection_daemon.entered, 11);
	ck_assert_uint_eq(machine.n_numbered, 0);
	ck_assert_uint_eq(machine.n_waiting_bytes, 0);
	return connection_network.n_opened;
}

START_TEST(a_cut_after_any_byte_loses_no_put_and_doubles_none)
{
	size_t n_cuts = 0;

	for (size_t at = 1; puts_over_a_cut(at, NO_CUT) > 1; at++, n_cuts++)
		machine_finish(&machine);
	ck_assert_uint_gt(n_cuts, 800); /* bytes of the requests */
	for (size_t at = 1; machine_finish(&machine), puts_over_a_cut(NO_CUT, at) > 1; at++)
		n_cuts++;
	ck_assert_uint_gt(n_cuts, 1100); /* and of the replies */
}
END_TEST

START_TEST(where_the_daemon_knows_no_numbers_it_gets_none)
{
	connection_daemon.knows_once = false;
	connection_start(&connection_settings);
	sim_put(0, "jobs", MR_FOREVER);
	sim_put_unanswered(1, "jobs");
	connection_settle();
	sim_ended(0, MR_OK);
	sim_ended(1, MR_OK);
	ck_assert_uint_eq(json_object_size(connection_daemon.seen), 0);
	connection_daemon.is_mute = true;
	sim_put(2, "jobs", MR_FOREVER);
	sim_put_unanswered(3, "jobs");
	connection_settle();
	connection_cut();
	sim_deliver();
	sim_ended(2, MR_UNKNOWN);
	sim_ended(3, MR_UNKNOWN);
}
END_TEST

START_TEST(a_put_cannot_be_sent_again_to_a_daemon_without_numbers)
{
	connection_start(&connection_settings);
	connection_settle();
	connection_daemon.is_mute = true;
	sim_put(0, "jobs", MR_FOREVER);
	connection_settle();
	connection_cut();
	sim_deliver();
	ck_assert_int_eq(requests[0].n_last, 0);
	connection_daemon.is_mute = connection_daemon.knows_once = false;
	connection_run_until(now_ms + 100);
	sim_ended(0, MR_UNKNOWN);
	sim_expect_numbers(connection_daemon.entered, 1);
}
END_TEST

START_TEST(a_put_that_was_sent_and_whose_time_ends_without_a_connection_is_unknown)
{
	connection_start(&connection_settings);
	connection_settle();
	connection_daemon.is_mute = true;
	sim_put(0, "jobs", 1000);
	connection_settle();
	connection_network.is_down = true;
	connection_cut();
	sim_put(1, "jobs", 1000); /* never sent */
	connection_run_until(now_ms + 1001);
	sim_ended(0, MR_UNKNOWN);
	sim_ended(1, MR_TIMEOUT);
}
END_TEST

START_TEST(puts_without_an_answer_go_in_runs)
{
	connection_start(&connection_settings);
	connection_settle();
	for (int i = 0; i < 5; i++)
		sim_put_unanswered(i, "jobs");
	(void)contact_output(machine.home, false, now_ms); /* the last is kept back: who knows what follows */
	ck_assert_int_eq(machine.home->waiting.tqh_first->operation.op, OP_PUT);
	connection_settle();
	ck_assert_str_eq(connection_daemon.ops, "hello put! put! put put! put ");
	for (int i = 0; i < 5; i++)
		sim_ended(i, MR_OK);
}
END_TEST

/* -- what becomes of the others -- */

START_TEST(after_a_cut_each_ends_or_goes_again_by_its_kind)
{
	struct client_operation operation;

	connection_start(&connection_settings);
	connection_daemon.parks_takes = true;
	sim_take(0, "jobs", 0, MR_FOREVER);
	sim_take(1, "jobs", 1000, MR_FOREVER);
	connection_settle();
	connection_daemon.is_mute = true;
	sim_submit(2, operation_close(&operation, "jobs"), &operation);
	sim_submit(3, operation_stat(&operation, "jobs"), &operation);
	sim_submit(4, operation_ack(&operation, "token"), &operation);
	connection_settle();
	sim_submit(5, operation_close(&operation, "other"), &operation); /* not sent */
	connection_cut();
	sim_deliver();
	sim_ended(0, MR_ECONNECTION);
	sim_ended(2, MR_UNKNOWN);
	sim_ended(4, MR_UNKNOWN);
	connection_daemon.is_mute = connection_daemon.parks_takes = false;
	connection_daemon.ops[0] = '\0';
	connection_run_until(now_ms + 100);
	ck_assert_str_eq(connection_daemon.ops, "hello take stat close ");
	sim_ended(1, MR_OK);
	sim_ended(3, MR_OK);
	sim_ended(5, MR_OK);
}
END_TEST

START_TEST(a_cancelled_request_does_not_go_again)
{
	connection_start(&connection_settings);
	connection_daemon.parks_takes = true;
	sim_take(0, "jobs", 1000, MR_FOREVER);
	connection_settle();
	ck_assert_int_eq(requests_cancel(&requests[0].base), MR_OK);
	connection_cut();
	sim_deliver();
	sim_ended(0, MR_CANCELLED);
	ck_assert_int_eq(requests_cancel(&requests[0].base), MR_ENO_SUCH_REQUEST);
}
END_TEST

START_TEST(a_cancelled_put_that_may_be_in_is_asked_for_by_its_number)
{
	connection_start(&connection_settings);
	connection_settle();
	for (int is_in = 0; is_in <= 1; is_in++) {
		connection_daemon.is_mute = is_in;
		connection_daemon.is_full = !is_in;
		sim_put(is_in, "jobs", MR_FOREVER);
		connection_settle();
		connection_network.is_down = true;
		connection_cut();
		sim_deliver();
		ck_assert_int_eq(requests_cancel(&requests[is_in].base), MR_OK);
		sim_runs_still(is_in);
		connection_network.is_down = connection_daemon.is_mute = false;
		connection_run_until(now_ms + 200);
		sim_ended(is_in, is_in ? MR_OK : MR_CANCELLED);
		ck_assert_uint_eq(json_array_size(connection_daemon.entered), is_in);
	}
}
END_TEST

START_TEST(a_cancelled_put_of_which_nobody_can_tell_is_unknown)
{
	connection_start(&connection_settings);
	connection_settle();
	connection_daemon.is_mute = true;
	sim_put(0, "jobs", MR_FOREVER);
	connection_settle();
	connection_network.is_down = true;
	connection_cut();
	sim_deliver();
	ck_assert_int_eq(requests_cancel(&requests[0].base), MR_OK);
	connection_run_until(now_ms + 6000);
	sim_ended(0, MR_UNKNOWN);
}
END_TEST

START_TEST(ephemeral_channels_come_first_and_are_told_when_they_are_lost)
{
	connection_start(&connection_settings);
	sim_create(0, "mine");
	connection_settle();
	sim_ended(0, MR_OK);
	sim_put(1, "jobs", MR_FOREVER);
	connection_cut();
	connection_daemon.ops[0] = news[0] = '\0';
	connection_run_until(now_ms + 100);
	ck_assert_str_eq(connection_daemon.ops, "hello create put ");
	connection_daemon.refuses_creates = true;
	connection_cut();
	connection_run_until(now_ms + 100);
	ck_assert_ptr_nonnull(strstr(news, "3:tcp://sim:1:mine"));
	connection_daemon.ops[0] = '\0';
	connection_cut();
	connection_run_until(now_ms + 100);
	ck_assert_str_eq(connection_daemon.ops, "hello ");
}
END_TEST

START_TEST(replies_come_in_any_pieces)
{
	for (size_t piece = 1; piece < 40; piece++) {
		if (piece > 1)
			machine_finish(&machine);
		connection_begin();
		connection_network.piece = piece;
		connection_start(&connection_settings);
		sim_put(0, "jobs", MR_FOREVER);
		sim_take(1, "jobs", 0, MR_FOREVER);
		sim_create(2, "mine");
		connection_settle();
		for (int i = 0; i <= 2; i++)
			sim_ended(i, MR_OK);
		ck_assert_str_eq(requests[1].value, "\"\xc3\xa9\\n\"");
	}
}
END_TEST

/* -- time -- */

START_TEST(the_pauses_grow_and_are_never_quite_the_same)
{
	int64_t pause_ms = 50;

	connection_network.is_down = true;
	connection_start(&connection_settings);
	for (int i = 0; i < 12; i++) {
		connection_settle();
		ck_assert_int_ge(machine.home->next_open_ms - now_ms, pause_ms / 2);
		ck_assert_int_le(machine.home->next_open_ms - now_ms, pause_ms);
		pause_ms = pause_ms * 2 > 5000 ? 5000 : pause_ms * 2;
		ck_assert_int_eq(machine_due_ms(&machine), machine.home->next_open_ms);
		now_ms = machine.home->next_open_ms;
	}
}
END_TEST

START_TEST(a_silent_daemon_is_asked_and_then_given_up)
{
	struct machine_settings beating = connection_settings;

	beating.heartbeat_ms = HEARTBEAT_MS;
	connection_start(&beating);
	connection_settle();
	connection_run_until(now_ms + 5 * HEARTBEAT_MS);
	ck_assert_str_eq(connection_daemon.ops, "hello ping ping ping ping ping ");
	connection_daemon.is_mute = true;
	news[0] = '\0';
	connection_run_until(now_ms + HEARTBEAT_MS);
	ck_assert_str_eq(news, "");
	connection_run_until(now_ms + HEARTBEAT_MS);
	ck_assert_ptr_nonnull(strstr(news, "2:tcp://sim:1:connection"));
}
END_TEST

START_TEST(a_request_that_is_not_answered_in_time_ends_the_connection)
{
	connection_start(&connection_settings);
	connection_settle();
	connection_daemon.is_mute = true;
	news[0] = '\0';
	sim_take(0, "jobs", 0, 1000);
	sim_take(1, "jobs", 0, MR_FOREVER);
	connection_run_until(now_ms + 1000 + MACHINE_GRACE_MS - 1);
	ck_assert_int_eq(requests[0].n_last, 0);
	connection_run_until(now_ms + 1);
	sim_ended(0, MR_ECONNECTION);
	sim_ended(1, MR_ECONNECTION);
	ck_assert_int_eq(connection_network.n_opened, 1);
}
END_TEST

START_TEST(whoever_waits_for_a_connection_waits_as_long_as_it_may)
{
	connection_network.is_down = true;
	connection_start(&connection_settings);
	sim_take(0, "jobs", 0, 1000);
	sim_take(1, "jobs", 0, MR_FOREVER);
	connection_run_until(now_ms + 999);
	ck_assert_int_eq(requests[0].n_last, 0);
	connection_run_until(now_ms + 1);
	sim_ended(0, MR_TIMEOUT);
	ck_assert_int_eq(requests[1].n_last, 0);
	connection_network.is_down = false;
	connection_run_until(now_ms + 5000);
	sim_ended(1, MR_OK);
}
END_TEST

START_TEST(the_impatient_hear_of_the_first_attempt_that_fails)
{
	struct machine_settings impatient = connection_settings;

	impatient.is_impatient = true;
	connection_start(&impatient);
	sim_put(0, "jobs", 1000); /* somebody has to want something */
	connection_settle();
	sim_ended(0, MR_OK);
	connection_daemon.is_mute = true;
	sim_put(1, "jobs", MR_FOREVER);
	connection_settle();
	connection_network.is_down = true;
	connection_cut();
	sim_take(2, "jobs", 0, MR_FOREVER);
	connection_run_until(now_ms + 100);
	sim_ended(2, MR_ECONNECT);
	ck_assert_int_eq(requests[1].n_last, 0); /* it may have happened: it is sent again if that can be */
	connection_run_until(now_ms + 5000);
	sim_ended(1, MR_UNKNOWN);
	connection_network.is_down = connection_daemon.is_mute = false;
	sim_put(3, "jobs", MR_FOREVER);
	connection_run_until(now_ms + 6000);
	sim_ended(3, MR_OK);
}
END_TEST

START_TEST(without_reopening_all_ends_with_the_connection)
{
	struct machine_settings once = connection_settings;

	once.reopens = false;
	connection_start(&once);
	connection_settle();
	connection_daemon.is_mute = true;
	sim_put(0, "jobs", MR_FOREVER);
	sim_take(1, "jobs", 1000, MR_FOREVER);
	connection_settle();
	sim_put(2, "jobs", MR_FOREVER); /* not sent */
	connection_cut();
	sim_deliver();
	sim_ended(0, MR_UNKNOWN);
	sim_ended(1, MR_ECONNECTION);
	sim_ended(2, MR_ECONNECTION);
	ck_assert_int_eq(machine.home->state, CONTACT_ENDED);
	ck_assert_int_eq(machine_due_ms(&machine), MACHINE_NEVER);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: the machine");
	const TTest *const tests[] = {
		a_cut_after_any_byte_loses_no_put_and_doubles_none,
		where_the_daemon_knows_no_numbers_it_gets_none,
		a_put_cannot_be_sent_again_to_a_daemon_without_numbers,
		a_put_that_was_sent_and_whose_time_ends_without_a_connection_is_unknown,
		puts_without_an_answer_go_in_runs,
		after_a_cut_each_ends_or_goes_again_by_its_kind,
		a_cancelled_request_does_not_go_again,
		a_cancelled_put_that_may_be_in_is_asked_for_by_its_number,
		a_cancelled_put_of_which_nobody_can_tell_is_unknown,
		ephemeral_channels_come_first_and_are_told_when_they_are_lost,
		replies_come_in_any_pieces,
		the_pauses_grow_and_are_never_quite_the_same,
		a_silent_daemon_is_asked_and_then_given_up,
		a_request_that_is_not_answered_in_time_ends_the_connection,
		whoever_waits_for_a_connection_waits_as_long_as_it_may,
		the_impatient_hear_of_the_first_attempt_that_fails,
		without_reopening_all_ends_with_the_connection,
		NULL,
	};

	suite_case(suite, "machine", connection_begin, connection_end, tests);
	return suite_run(suite);
}
