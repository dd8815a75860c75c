#include "daemon/cluster/etcd_curl.h"

#include <dlfcn.h>

static const char library[] = "libcurl.so.4";

const struct etcd_curl *etcd_curl_load(const char **why)
{
	static struct etcd_curl curl;
	static void *handle;
	if (handle)
		return &curl;
	void *opened = dlopen(library, RTLD_NOW | RTLD_LOCAL);
#define ETCD_CURL_FIND(name)                                                                                           \
	if (opened)                                                                                                    \
		curl.name = (__typeof__(curl.name))dlsym(opened, "curl_" #name);                                       \
	if (!curl.name) {                                                                                              \
		*why = dlerror();                                                                                      \
		return NULL;                                                                                           \
	}
	ETCD_CURL_EACH(ETCD_CURL_FIND)
#undef ETCD_CURL_FIND
	if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		*why = "libcurl has no memory";
		return NULL;
	}
	handle = opened;
	return &curl;
}
