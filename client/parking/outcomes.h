/* What has come of requests and connections, told to the program by its callbacks. */
#ifndef MILLRACE_CLIENT_PARKING_OUTCOMES_H
#define MILLRACE_CLIENT_PARKING_OUTCOMES_H

#include "client/parking/state.h"

/* Tells what has come. False: there is more, for another turn of the loop; or a callback has destroyed the client. */
bool outcomes_tell(mr_parking *p, int64_t now_ms);

#endif
