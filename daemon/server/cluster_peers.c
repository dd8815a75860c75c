#define _GNU_SOURCE /* getaddrinfo_a() */
#include "daemon/server/cluster_peers.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/config.h"
#include "daemon/cluster/sooner.h"

enum {
	PEERS = 32, /* more than that are left to their leases */
	NAME_BYTES = 130,
	URL_BYTES = 300,
	LOOK_UP_US = 20 * 1000,
	RETRY_US = 2 * 1000 * 1000,
	SHORT_US = 50 * 1000,      /* a connection that breaks sooner is not made again at once: but after */
	FIRST_PAUSE_US = 2 * 1000, /* and then after twice as long each time. A process that ends may still accept */
};

enum peer_stage { PEER_RESTS, PEER_LOOKS_UP, PEER_IS_CONNECTED };

struct peer {
	struct cluster_peers *peers;
	enum peer_stage stage;
	bool is_named, was_connected;
	size_t name_len;
	char name[NAME_BYTES], url[URL_BYTES];
	struct address address; /* what the URL says */
	char port[8];
	struct gaicb lookup; /* of its host's name, which may take its time */
	struct addrinfo hints;
	int fd;
	struct loop_watch *watch;
	uint64_t due_us, connected_us, pause_us;
};

struct cluster_peers {
	struct loop *loop;
	cluster_peer_gone_cb *on_gone;
	void *arg;
	struct peer *peers[PEERS];
	size_t n;
};

static void hang_up(struct peer *peer)
{
	loop_watch_destroy(peer->watch);
	peer->watch = NULL;
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
	peer->stage = PEER_RESTS;
}

/* False: the look-up goes on, and needs the peer's memory. */
static bool finish(struct peer *peer)
{
	if (peer->stage == PEER_LOOKS_UP && gai_cancel(&peer->lookup) == EAI_NOTCANCELED)
		return false;
	hang_up(peer);
	if (peer->lookup.ar_result)
		freeaddrinfo(peer->lookup.ar_result);
	address_finish(&peer->address);
	return true;
}

static void connect_now(struct peer *peer);

/* It has broken, or could not be made. */
static void on_broken(struct peer *peer, int error)
{
	bool was_connected = peer->was_connected;
	uint64_t now_us = loop_now_us(peer->peers->loop);
	hang_up(peer);
	if (error == ECONNREFUSED) {
		peer->was_connected = false;
		peer->due_us = now_us + RETRY_US;
		if (was_connected)
			peer->peers->on_gone(peer->peers->arg, (struct slice){peer->name, peer->name_len});
	} else if (was_connected && now_us - peer->connected_us >= SHORT_US) {
		peer->pause_us = FIRST_PAUSE_US;
		peer->due_us = now_us + FIRST_PAUSE_US;
		connect_now(peer);
	} else {
		peer->due_us = now_us + peer->pause_us;
		peer->pause_us = 2 * peer->pause_us < SHORT_US ? 2 * peer->pause_us : SHORT_US;
	}
}

static void on_readable(void *arg)
{
	struct peer *peer = arg;
	char byte[64];
	int error = 0;
	socklen_t len = sizeof(error);
	loop_now_us(peer->peers->loop); /* a turn in which something has happened */
	if (getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) {
		ssize_t n = recv(peer->fd, byte, sizeof(byte), MSG_DONTWAIT);
		if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
			return;
		error = n < 0 ? errno : ECONNRESET;
	}
	if (error == ECONNRESET || error == EPIPE)
		peer->was_connected = true;
	on_broken(peer, error);
}

static void connect_now(struct peer *peer)
{
	const struct addrinfo *address = peer->lookup.ar_result;
	if (!address)
		return;
	peer->connected_us = loop_now_us(peer->peers->loop);
	peer->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (peer->fd < 0)
		return;
	if (connect(peer->fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS) {
		on_broken(peer, errno);
		return;
	}
	peer->stage = PEER_IS_CONNECTED; /* or will be, or will hear that it cannot be */
	peer->watch = loop_watch_create(peer->peers->loop, peer->fd, on_readable, peer);
	if (!peer->watch)
		hang_up(peer);
}

/* An address in numbers needs nobody to look it up: true, and it is there. Any other is looked up meanwhile. */
static bool look_up(struct peer *peer)
{
	struct gaicb *lookups[] = {&peer->lookup};
	if (peer->lookup.ar_result)
		freeaddrinfo(peer->lookup.ar_result);
	snprintf(peer->port, sizeof(peer->port), "%u", peer->address.port);
	peer->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	peer->lookup =
		(struct gaicb){.ar_name = peer->address.host, .ar_service = peer->port, .ar_request = &peer->hints};
	if (getaddrinfo(peer->address.host, peer->port, &peer->hints, &peer->lookup.ar_result) == 0)
		return true;
	peer->lookup.ar_result = NULL;
	peer->hints.ai_flags = 0;
	if (getaddrinfo_a(GAI_NOWAIT, lookups, 1, NULL) == 0)
		peer->stage = PEER_LOOKS_UP;
	return false;
}

static bool is_connected(const struct peer *peer)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	return getpeername(peer->fd, (struct sockaddr *)&address, &len) == 0;
}

static void tick(struct peer *peer, uint64_t now_us)
{
	switch (peer->stage) {
	case PEER_RESTS:
		peer->due_us = now_us + RETRY_US / 20;
		if ((peer->was_connected && peer->lookup.ar_result && peer->pause_us < SHORT_US) || look_up(peer))
			connect_now(peer);
		else
			peer->due_us = now_us + (peer->stage == PEER_LOOKS_UP ? LOOK_UP_US : RETRY_US);
		break;
	case PEER_LOOKS_UP:
		peer->due_us = now_us + LOOK_UP_US;
		if (gai_error(&peer->lookup) == EAI_INPROGRESS)
			break;
		peer->stage = PEER_RESTS;
		peer->due_us = now_us + RETRY_US / 20;
		connect_now(peer);
		break;
	case PEER_IS_CONNECTED:
		peer->was_connected = peer->was_connected || is_connected(peer);
		peer->due_us = now_us + (peer->was_connected ? RETRY_US : RETRY_US / 20);
		break;
	}
}

uint64_t cluster_peers_tick(struct cluster_peers *peers, uint64_t now_us)
{
	uint64_t due_us = UINT64_MAX;
	for (size_t i = 0; i < peers->n; i++) {
		if (peers->peers[i]->due_us <= now_us)
			tick(peers->peers[i], now_us);
		due_us = sooner_us(due_us, peers->peers[i]->due_us);
	}
	return due_us;
}

/* -- Who they are -- */

void cluster_peers_begin(struct cluster_peers *peers)
{
	for (size_t i = 0; i < peers->n; i++)
		peers->peers[i]->is_named = false;
}

void cluster_peers_add(struct cluster_peers *peers, struct slice daemon, struct slice url)
{
	char error[CONFIG_ERROR_BYTES];
	for (size_t i = 0; i < peers->n; i++) {
		struct peer *peer = peers->peers[i];
		if (slice_equal((struct slice){peer->name, peer->name_len}, daemon) &&
		    slice_equal(slice_from(peer->url), url)) {
			peer->is_named = true;
			return;
		}
	}
	struct peer *peer =
		peers->n < PEERS && daemon.len <= NAME_BYTES && url.len < URL_BYTES ? calloc(1, sizeof(*peer)) : NULL;
	if (!peer)
		return;
	*peer = (struct peer){
		.peers = peers, .is_named = true, .fd = -1, .pause_us = FIRST_PAUSE_US, .name_len = daemon.len};
	memcpy(peer->name, daemon.bytes, daemon.len);
	memcpy(peer->url, url.bytes, url.len);
	if (address_parse(&peer->address, peer->url, error) < 0 || peer->address.scheme == ADDRESS_UNIX) {
		address_finish(&peer->address);
		free(peer);
		return;
	}
	peers->peers[peers->n++] = peer;
}

void cluster_peers_end(struct cluster_peers *peers)
{
	size_t n = 0;
	for (size_t i = 0; i < peers->n; i++)
		if (!peers->peers[i]->is_named && finish(peers->peers[i]))
			free(peers->peers[i]);
		else
			peers->peers[n++] = peers->peers[i];
	peers->n = n;
}

struct cluster_peers *cluster_peers_create(struct loop *loop, cluster_peer_gone_cb *on_gone, void *arg)
{
	struct cluster_peers *peers = calloc(1, sizeof(*peers));
	if (peers)
		*peers = (struct cluster_peers){.loop = loop, .on_gone = on_gone, .arg = arg};
	return peers;
}

void cluster_peers_destroy(struct cluster_peers *peers)
{
	for (size_t i = 0; peers && i < peers->n; i++) {
		const struct gaicb *lookups[] = {&peers->peers[i]->lookup};
		while (!finish(peers->peers[i])) /* at the end it may be waited for */
			gai_suspend(lookups, 1, NULL);
		free(peers->peers[i]);
	}
	free(peers);
}
