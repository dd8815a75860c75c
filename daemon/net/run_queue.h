/* What streams cannot do at once without holding up the others, and do in the next turn: reading on where the socket
 * does not tell of it, and opening, which takes a millisecond of the processor each time, so that few do it in a turn.
 * A stream that is in a list has its extra. For net/ alone. */
#ifndef MILLRACE_NET_RUN_QUEUE_H
#define MILLRACE_NET_RUN_QUEUE_H

struct stream;
struct loop;

/* stream_read_on() in the next turn. A stream that is in a list already stays there. */
void run_queue_read(struct stream *stream);

/* stream_open_on() in one of the next turns. */
void run_queue_open(struct stream *stream);

void run_queue_leave(struct stream *stream);

/* The loop's: carries out what is due in this turn. */
void run_queue_turn(struct loop *loop);

#endif
