/* A daemon's place in its cluster: that it is up (joining), what it knows of the others (table), and which groups it
 * owns (ownership), over an engine. Pure: the time comes in.
 *
 * It reads the table whenever the engine hints that something has changed, and now and then in any case: hints may be
 * lost. What it decides is in ownership.h; that it may be trusted, in joining.h: until membership_sure_until_us()
 * nobody else owns what this daemon does. After that the daemon answers nothing, until it is sure again, or has lost
 * its place: then all that it has is dropped, and it joins anew, with another mark. */
#ifndef MILLRACE_CLUSTER_MEMBERSHIP_H
#define MILLRACE_CLUSTER_MEMBERSHIP_H

#include "daemon/cluster/engine.h"
#include "daemon/cluster/cluster_keys.h"
#include "daemon/cluster/placement.h"
#include "daemon/cluster/table.h"

struct membership_settings {              /* slices and rules stay where they are while it lives */
	struct slice name, address, http; /* http may be empty */
	uint64_t ttl_ms;
	uint64_t damping_ms; /* so long a daemon has to be up before groups go there by plan; 0: 10 s */
	struct placement placement;
	struct cluster_mark mark; /* random */
	uint64_t wall_ms;         /* the time by the wall clock */
	uint64_t old_lease;       /* of a run before this one in this process, which has ended; 0: there was none */
};

struct membership_handlers { /* they do not destroy it */
	void (*on_joined)(void *arg);
	/* The group is this daemon's, as the owner's value says: what the engine has of it can be read. */
	void (*on_take)(void *arg, struct slice group, struct slice owner);
	/* The group goes by plan: it is to be served no more, and membership_released() said when all that was recorded
	 * of it is committed. */
	void (*on_give)(void *arg, struct slice group);
	/* Once. is_lost: this daemon had a place, and may join anew; else it cannot join, and `why` says what to do. */
	void (*on_end)(void *arg, bool is_lost, const char *why);
	void *arg;
};

struct membership;

struct membership *membership_create(struct engine *engine, const struct membership_settings *settings,
				     const struct membership_handlers *handlers); /* NULL: no memory */
void membership_destroy(struct membership *membership);                           /* NULL is fine */

/* Returns when it has to be called again at the latest. */
uint64_t membership_tick(struct membership *membership, uint64_t now_us);

uint64_t membership_lease(const struct membership *membership); /* 0: it has none */
bool membership_is_joined(const struct membership *membership);
uint64_t membership_sure_until_us(const struct membership *membership);

void membership_released(struct membership *membership, struct slice group);

/* The connection to that daemon broke, and its address refuses another: it is gone, before its lease has ended. */
void membership_peer_is_gone(struct membership *membership, struct slice daemon);

/* Gives all groups away, and takes none any more. */
void membership_drain(struct membership *membership);
bool membership_is_drained(const struct membership *membership);

/* Gives name and lease back, and asks for nothing more: at the end. */
void membership_leave(struct membership *membership);
bool membership_has_left(const struct membership *membership); /* the engine has said so */

/* -- Who has what -- */

enum membership_place {
	MEMBERSHIP_HERE,    /* this daemon owns it; whether it serves it yet, whoever restores it knows */
	MEMBERSHIP_THERE,   /* another does, or will as soon as it is asked */
	MEMBERSHIP_NOWHERE, /* nobody does just now */
	MEMBERSHIP_UNKNOWN, /* there is no such group, and it would be here: nothing is in it */
	MEMBERSHIP_FULL,    /* nor can there be, as there are too many groups */
};

/* Somebody asks for the group: if nobody has it any more and it had best be here, it is taken. One that never was is
 * brought about only for who `creates` something in it: it stays for good. *address, *http: MEMBERSHIP_THERE; valid
 * until the next call. */
enum membership_place membership_find(struct membership *membership, struct slice group, bool creates,
				      struct slice *address, struct slice *http);

/* The group shall be there, whoever is to have it. -1: no memory, or there are too many. */
int membership_want(struct membership *membership, struct slice group);

/* The group goes there, and stays for as long as that daemon is up; empty: to where it had best be. -1: no daemon of
 * that name is up. */
int membership_move(struct membership *membership, struct slice group, struct slice daemon);

struct membership_daemon {
	struct slice name, address, http;
	struct cluster_mark mark;
	bool is_self, is_draining;
	uint64_t joined_ms;
	bool has_other_places; /* its configuration gives groups to others than ours does */
	uint64_t seen_us;      /* since when it is known */
};
/* In the order of their names. False: there are no more. Valid until the next call. */
bool membership_daemon(const struct membership *membership, size_t i, struct membership_daemon *daemon);

struct membership_group {
	struct slice name, owner, home; /* owner: the daemon; empty: nobody. home: where people have moved it */
	uint64_t epoch;
	bool is_ours;
};
bool membership_group(const struct membership *membership, size_t i, struct membership_group *group);

/* Whether daemons or groups have changed since this was asked last. */
bool membership_take_change(struct membership *membership);

/* Why it does not go on, for a log line; empty: it does. */
const char *membership_trouble(const struct membership *membership);

#endif
