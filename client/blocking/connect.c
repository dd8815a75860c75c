/* A uplink to an address, in time. */
#include "client/blocking/connect.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/net/clock.h"
#include "client/blocking/lookup.h"
#include "client/machine/failure.h"
#include "client/millrace.h"

/* Waits until the uplink is ready for these events: 0, or the negative number of an error. */
static int wait_for(const struct uplink *uplink, short events, int64_t deadline_ms)
{
	struct pollfd ready = {.fd = uplink->fd, .events = events};
	int n;

	do {
		int64_t left_ms = deadline_ms - clock_now_ms();

		n = left_ms > 0 ? poll(&ready, 1, (int)left_ms) : 0;
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

/* Waits for a connect() in progress. 0, or the negative number of an error. */
static int finish_connect(struct uplink *uplink, int64_t deadline_ms)
{
	int problem = wait_for(uplink, POLLOUT, deadline_ms);

	if (!problem)
		return uplink_connected(uplink);
	uplink_close(uplink);
	return problem;
}

static int shake_hands(struct uplink *uplink, const struct url *url, const struct secure *secure, int64_t deadline_ms)
{
	int progress = uplink_secure(uplink, secure, url->host);

	while (progress > UPLINK_CONNECTED) {
		int problem = wait_for(uplink, progress == UPLINK_SHAKING ? POLLIN : POLLOUT, deadline_ms);

		progress = problem ? problem : uplink_shake_hands(uplink);
	}
	if (progress < 0)
		uplink_close(uplink);
	return progress;
}

/* A uplink to this address in time; or the negative number of an error. */
static int connect_address(struct uplink *uplink, const struct addrinfo *address, int64_t deadline_ms)
{
	int progress = uplink_connect(uplink, address->ai_family, address->ai_addr, address->ai_addrlen);

	return progress == UPLINK_CONNECTING ? finish_connect(uplink, deadline_ms) : progress;
}

/* Only connect() itself can wait until a listener whose queue is full takes one more: it does so within the time that
 * sending may take. */
static int connect_unix(struct uplink *uplink, const struct url *url, int64_t deadline_ms)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int64_t left_ms = deadline_ms - clock_now_ms();
	struct timeval patience = {.tv_sec = left_ms > 0 ? left_ms / 1000 : 0,
				   .tv_usec = left_ms > 0 ? left_ms % 1000 * 1000 + 1 : 1};
	int error = 0, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	static_assert(sizeof(url->path) <= sizeof(address.sun_path), "a URL's path fits");
	strcpy(address.sun_path, url->path);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && (error = errno) == EINTR)
		error = 0;
	if (error) {
		close(fd);
		return error == EAGAIN ? -ETIMEDOUT : -error;
	}
	uplink_init(uplink, fd);
	return 0;
}

/* Tries every address of the host, each for an equal share of the time that is left. *failure: what getaddrinfo() says,
 * or 0. */
static int connect_tcp(struct uplink *uplink, const struct url *url, const struct secure *secure, int64_t deadline_ms,
		       int *failure)
{
	int problem = -ECONNREFUSED, n_left = 0;
	struct addrinfo *found;

	*failure = lookup(url->host, url->port, deadline_ms, &found);
	if (*failure)
		return -EHOSTUNREACH;
	for (struct addrinfo *address = found; address; address = address->ai_next)
		n_left++;
	for (struct addrinfo *address = found; address && problem; address = address->ai_next, n_left--) {
		int64_t now_ms = clock_now_ms(), end_ms = now_ms + (deadline_ms - now_ms) / n_left;

		problem = connect_address(uplink, address, end_ms);
		if (!problem && url->kind == URL_TLS)
			problem = shake_hands(uplink, url, secure, end_ms);
	}
	freeaddrinfo(found);
	return problem;
}

int connect_url(struct uplink *uplink, const struct url *url, const struct secure *secure, int64_t deadline_ms)
{
	int failure = 0;
	int problem = url->kind == URL_UNIX ? connect_unix(uplink, url, deadline_ms)
					    : connect_tcp(uplink, url, secure, deadline_ms, &failure);

	if (problem)
		fail(MR_ECONNECT, "cannot connect to %s: %s", url->text,
		     failure && failure != EAI_SYSTEM ? gai_strerror(failure) : uplink_message(problem));
	return problem ? MR_ECONNECT : MR_OK;
}
