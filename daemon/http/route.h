/* What can be asked for at one path by one method. */
#ifndef MILLRACE_HTTP_ROUTE_H
#define MILLRACE_HTTP_ROUTE_H

#include "daemon/http/response.h"

enum { ROUTE_MAX_PARAMETERS = 4 };

enum route_body {
	BODY_NONE,             /* one that is there all the same is refused: it was meant to say something */
	BODY_VALUE,            /* one JSON value, to be put; with the parameter `batch` an array of them */
	BODY_MEMBERS,          /* a JSON object: members of the op, beside those in path and query */
	BODY_OPTIONAL_MEMBERS, /* likewise; or no body */
};

struct route_parameter {
	const char *name;
	enum {
		PARAMETER_PLAIN, /* a number, true or false */
		PARAMETER_TEXT,
		PARAMETER_JSON, /* one value of it */
	} type;
};

struct route {
	const char *method;
	const char *path; /* one part may be {…}: the member of the op that it is */
	struct http_response (*serve)(struct http_session *session, const struct http_request *request);
	enum message_op op; /* of gateway_serve */
	bool is_open;       /* nobody needs to be known for it, and it tells nothing that may be undone: it is a
			       probe, which is answered while all else is held */
	enum route_body body;
	struct route_parameter parameters[ROUTE_MAX_PARAMETERS + 1]; /* to the first without a name */
};

/* The parameter of a route by that name, or NULL. */
static inline const struct route_parameter *route_parameter(const struct route *route, struct slice name)
{
	const struct route_parameter *parameter = route->parameters;
	while (parameter->name && !slice_equal(slice_from(parameter->name), name))
		parameter++;
	return parameter->name ? parameter : NULL;
}

#endif
