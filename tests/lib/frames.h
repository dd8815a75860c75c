/* Frames of a daemon that a test simulates: requests come out of a buffer, replies go into one. */
#ifndef MILLRACE_TESTS_FRAMES_H
#define MILLRACE_TESTS_FRAMES_H

#include <jansson.h>

#include "proto/buffer.h"

/* Takes the next request out, which is the caller's; NULL: none is whole. What is no JSON fails the test. */
json_t *frames_next(struct buffer *in);

/* Takes the reply over. */
void frames_append(struct buffer *out, json_t *reply);

#endif
