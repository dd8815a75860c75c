/* A group of the cluster that has come. */
#include "daemon/server/server_private.h"

void server_serve_group(struct server *server, struct slice group)
{
	server_create_channels(server, &server->config, group);
	server_create_taps(server, &server->config, group);
	broker_serve(&server->broker, group);
}
