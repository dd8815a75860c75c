/* Requests and replies that are decoded in a test. Each is in memory of exactly its length, so that what reads behind
 * it is found. What is taken or refused where it should not be fails the check test that runs. */
#ifndef MILLRACE_TESTS_MESSAGE_FIXTURE_H
#define MILLRACE_TESTS_MESSAGE_FIXTURE_H

#include "proto/message.h"

extern struct message_decoder decoder;
extern struct message_request request; /* the last one */
extern struct message_reply reply;     /* the last one */
extern char *body;                     /* of either; `request` and `reply` point into it */

void message_teardown(void);

int decode_bytes(const char *text, size_t len); /* to `request` */
int decode_reply(const char *text);             /* to `reply` */

void decodes(const char *text);
void refuses(const char *text, int64_t id, enum error error, const char *needle); /* id -1: none could be read */
void is_bad(const char *text, const char *needle); /* a bad_request of id 1; `needle`: what its detail has in it */
void equals(struct slice slice, const char *text);

#endif
