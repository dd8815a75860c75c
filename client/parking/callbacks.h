/* What has come of requests and connections, told to the program by its callbacks. */
#ifndef MILLRACE_CLIENT_PARKING_CALLBACKS_H
#define MILLRACE_CLIENT_PARKING_CALLBACKS_H

#include "client/parking/parking_state.h"

/* Tells what has come. False: there is more, for another turn of the loop; or a callback has destroyed the client. */
bool callbacks_tell(mr_parking *p, int64_t now_ms);

#endif
