/* What a daemon knows of its cluster, for those who answer clients, and for people: asked by sessions and HTTP, and
 * filled by the server. All of it is as far as this daemon knows: it may have changed a moment ago.
 *
 * Texts are valid until the loop's turn ends. One thread. */
#ifndef MILLRACE_CLUSTER_VIEW_H
#define MILLRACE_CLUSTER_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

enum { CLUSTER_RETRY_MS = 20 }; /* what clients are told while nobody serves a group */

struct cluster_daemon_row {
	struct slice name, address, http; /* http: empty: it does not say where */
	bool is_self;
};

struct cluster_group_row {
	struct slice name;
	struct slice owner;  /* a daemon; empty: nobody owns it just now */
	struct slice target; /* the daemon that it is on its way to; empty: it stays */
	uint64_t epoch;      /* of its present owner, or the last one; 0: it never had any */
	bool is_served;      /* by this daemon, which then tells how long its oldest change has waited to be kept: */
	uint64_t lag_us;
};

struct cluster_status {
	bool is_joined;       /* the store is reached, and this daemon may answer */
	const char *message;  /* for people: what it waits for, if it is not. NULL: nothing. Static, or the view's */
	uint64_t used_bytes;  /* of the store */
	uint64_t quota_bytes; /* 0: it does not say */
	uint64_t takeovers;   /* groups that this daemon has taken over */
	uint64_t lost;        /* and that it has lost to others, not by plan */
};

enum cluster_place {
	CLUSTER_THERE,   /* with another daemon */
	CLUSTER_NOWHERE, /* with nobody just now */
	CLUSTER_UNKNOWN, /* there is no such group */
	CLUSTER_FULL,    /* nor can there be: there are too many */
};

struct cluster_view;

struct cluster_calls {
	/* Where to ask about this group's channels, which are not here. CLUSTER_THERE: *row says with whom. Only who
	 * `creates` something in it, and may, brings a group about. */
	enum cluster_place (*route)(const struct cluster_view *view, struct slice group, bool creates,
				    struct cluster_daemon_row *row);
	/* Those that are up, number `i` of them in order of name; false: there are no more. */
	bool (*daemon)(const struct cluster_view *view, size_t i, struct cluster_daemon_row *row);
	/* Likewise the groups that are known: that have an owner, had one, or are in the configuration. */
	bool (*group)(const struct cluster_view *view, size_t i, struct cluster_group_row *row);
	void (*status)(const struct cluster_view *view, struct cluster_status *status);
	/* The group shall go to that daemon, by plan, and stay there while it is up. False: *why says why it cannot,
	 * for people; static, or the view's. True: it is on its way, or there already. */
	bool (*move)(struct cluster_view *view, struct slice group, struct slice to, const char **why);
};

struct cluster_view {
	const struct cluster_calls *calls;
};

#endif
