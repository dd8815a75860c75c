#include "client/cli/subscribe.h"

#include "client/cli/follow.h"
#include "client/cli/interrupt.h"
#include "client/cli/session.h"

/* One subscription, from its beginning to its end, or that of its connection. */
static int subscribe_once(const struct call *call, mr *m, const struct mr_tap_options *options,
			  struct take_watch *watch, struct recovery *recovery)
{
	char *channel = NULL;
	int status = mr_tap(m, call->args[0], NULL, options, NULL, &channel);

	if (status != MR_OK)
		return status;
	watch->channel = channel;
	status = follow(call, m, watch, recovery);
	watch->channel = NULL;
	mr_free(channel);
	if (status == MR_ENO_SUCH_CHANNEL) /* it has gone with a connection that is back by now */
		status = mr_fail(MR_ECONNECTION, "the connection was lost, and the subscription with it");
	return status;
}

int subscribe(const struct call *call, mr *m, const struct mr_tap_options *options)
{
	struct take_watch watch;
	struct recovery recovery;
	int status;

	take_watch_init(&watch, NULL);
	watch.is_subscription = true;
	watch.left = call->number;
	recovery_init(&recovery, call);
	do
		status = subscribe_once(call, m, options, &watch, &recovery);
	while (watch.reason == TAKE_GOES_ON && recovery_wait(&recovery, m, status, watch.fds[0].fd));
	recovery_finish(&recovery);
	if (watch.reason == TAKE_INTERRUPTED || (interrupt_happened() && status == MR_ECONNECTION))
		return interrupt_code();
	if (watch.reason != TAKE_GOES_ON || status == MR_CLOSED)
		return EXIT_OK;
	return session_report(call, m, call->args[0], status, NULL);
}
