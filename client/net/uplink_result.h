/* How far a connection has come: the results of uplink.h and secure.h. */
#ifndef MILLRACE_CLIENT_NET_UPLINK_RESULT_H
#define MILLRACE_CLIENT_NET_UPLINK_RESULT_H

enum uplink_result {                         /* of reading and writing; beside them: the negative number of an error */
		     UPLINK_AGAIN = 0,       /* nothing now: wait until it is readable, or writable */
		     UPLINK_CLOSED = -10000, /* the other side has ended it */
		     UPLINK_UNUSABLE = -10001, /* its TLS cannot be: mr_message() says why */
};

/* Of connecting. While it is UPLINK_CONNECTING wait until it is writable, while UPLINK_SHAKING until it is readable,
 * while UPLINK_PAUSING (of dial.h) for nothing but time. Beside them: the negative number of an error */
enum uplink_progress { UPLINK_CONNECTED, UPLINK_CONNECTING, UPLINK_SHAKING, UPLINK_PAUSING };

#endif
