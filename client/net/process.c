#include "client/net/process.h"

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned number;

static void count_child(void)
{
	number++;
}

static void watch(void)
{
	pthread_atfork(NULL, NULL, count_child);
}

unsigned process_number(void)
{
	pthread_once(&once, watch);
	return number;
}
