#include "client/net/dial.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

enum { FULL_PAUSE_MS = 5 }; /* a Unix listener whose queue is full says so; then it is asked again */

static void try_address(struct dial *dial, int64_t now_ms);

/* The next address, if there is one. */
static void address_failed(struct dial *dial, int problem, int64_t now_ms)
{
	uplink_close(&dial->uplink);
	dial->progress = problem;
	dial->address = dial->address ? dial->address->ai_next : NULL;
	if (dial->address)
		try_address(dial, now_ms);
}

/* The TCP connection is there: what follows. */
static void connected(struct dial *dial, int64_t now_ms)
{
	int progress = dial->url->kind == URL_TLS ? uplink_secure(&dial->uplink, dial->secure, dial->url->host)
						  : UPLINK_CONNECTED;

	dial->progress = progress;
	if (progress < 0)
		address_failed(dial, progress, now_ms);
}

static void began(struct dial *dial, int progress, int64_t now_ms)
{
	dial->n_uplinks++;
	dial->progress = progress;
	if (progress < 0)
		address_failed(dial, progress, now_ms);
	else if (progress == UPLINK_CONNECTED)
		connected(dial, now_ms);
}

static void try_address(struct dial *dial, int64_t now_ms)
{
	const struct addrinfo *address = dial->address;
	int n_left = 0;

	for (const struct addrinfo *other = address; other; other = other->ai_next)
		n_left++;
	dial->address_ends_ms = now_ms + (dial->ends_ms - now_ms) / n_left;
	began(dial, uplink_connect(&dial->uplink, address->ai_family, address->ai_addr, address->ai_addrlen), now_ms);
}

static void try_unix(struct dial *dial, int64_t now_ms)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int progress;

	static_assert(sizeof(dial->url->path) <= sizeof(address.sun_path), "a URL's path fits");
	strcpy(address.sun_path, dial->url->path);
	progress = uplink_connect(&dial->uplink, AF_UNIX, (struct sockaddr *)&address, sizeof address);
	if (progress == -EAGAIN && now_ms < dial->ends_ms) {
		dial->progress = UPLINK_PAUSING;
		dial->address_ends_ms = now_ms + FULL_PAUSE_MS < dial->ends_ms ? now_ms + FULL_PAUSE_MS : dial->ends_ms;
		return;
	}
	dial->address_ends_ms = dial->ends_ms;
	began(dial, progress == -EAGAIN ? -ETIMEDOUT : progress, now_ms);
}

int dial_begin(struct dial *dial, const struct url *url, struct secure *secure, const struct addrinfo *addresses,
	       int64_t now_ms, int64_t ends_ms)
{
	assert(!dial->url || dial->uplink.fd < 0);
	dial->url = url;
	dial->secure = secure;
	dial->address = addresses;
	dial->ends_ms = ends_ms;
	if (url->kind == URL_UNIX)
		try_unix(dial, now_ms);
	else
		try_address(dial, now_ms);
	return dial->progress;
}

int dial_go_on(struct dial *dial, int64_t now_ms)
{
	int problem;

	if (dial->progress == UPLINK_PAUSING) {
		try_unix(dial, now_ms);
	} else if (dial->uplink.ssl) {
		dial->progress = uplink_shake_hands(&dial->uplink);
		if (dial->progress < 0)
			address_failed(dial, dial->progress, now_ms);
	} else if (dial->progress == UPLINK_CONNECTING) {
		problem = uplink_connected(&dial->uplink);
		if (problem)
			address_failed(dial, problem, now_ms);
		else
			connected(dial, now_ms);
	}
	return dial->progress;
}

int64_t dial_due_ms(const struct dial *dial)
{
	return dial->progress > UPLINK_CONNECTED ? dial->address_ends_ms : INT64_MAX;
}

int dial_expire(struct dial *dial, int64_t now_ms)
{
	if (now_ms < dial_due_ms(dial))
		return dial->progress;
	if (dial->progress == UPLINK_PAUSING)
		return dial_go_on(dial, now_ms);
	address_failed(dial, -ETIMEDOUT, now_ms);
	return dial->progress;
}

void dial_end(struct dial *dial)
{
	if (dial->url)
		uplink_close(&dial->uplink);
	dial->progress = UPLINK_CONNECTED;
	dial->address = NULL;
}
