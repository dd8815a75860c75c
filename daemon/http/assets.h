/* Files that are part of the program: the dashboard, and the description of the gateway. */
#ifndef MILLRACE_HTTP_ASSETS_H
#define MILLRACE_HTTP_ASSETS_H

#include "proto/slice.h"

struct slice asset_dashboard(void);
struct slice asset_dashboard_css(void);
struct slice asset_dashboard_js(void);
struct slice asset_openapi(void);

#endif
