/* libcurl, loaded when a cluster needs it: a daemon that is alone has nothing of it in memory, with the dozens of
 * libraries that it needs itself. */
#ifndef MILLRACE_CLUSTER_ETCD_CURL_H
#define MILLRACE_CLUSTER_ETCD_CURL_H

#define CURL_DISABLE_TYPECHECK /* which makes macros of functions */
#include <curl/curl.h>

/* What is used of it. */
#define ETCD_CURL_EACH(X)                                                                                              \
	X(easy_cleanup)                                                                                                \
	X(easy_getinfo)                                                                                                \
	X(easy_init)                                                                                                   \
	X(easy_reset)                                                                                                  \
	X(easy_setopt)                                                                                                 \
	X(easy_strerror)                                                                                               \
	X(free)                                                                                                        \
	X(global_init)                                                                                                 \
	X(multi_add_handle)                                                                                            \
	X(multi_assign)                                                                                                \
	X(multi_cleanup)                                                                                               \
	X(multi_info_read)                                                                                             \
	X(multi_init)                                                                                                  \
	X(multi_remove_handle)                                                                                         \
	X(multi_setopt)                                                                                                \
	X(multi_socket_action)                                                                                         \
	X(slist_append)                                                                                                \
	X(slist_free_all)                                                                                              \
	X(url)                                                                                                         \
	X(url_cleanup)                                                                                                 \
	X(url_get)                                                                                                     \
	X(url_set)

#undef curl_easy_getinfo
#undef curl_easy_setopt
#undef curl_multi_setopt

struct etcd_curl {
#define ETCD_CURL_MEMBER(name) __typeof__(curl_##name) *name;
	ETCD_CURL_EACH(ETCD_CURL_MEMBER)
#undef ETCD_CURL_MEMBER
};

/* The same for everybody, from the first call on. NULL: it cannot be loaded, or is too old, as `why` says. */
const struct etcd_curl *etcd_curl_load(const char **why);

#endif
