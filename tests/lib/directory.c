/* Temporary directories of tests, and the clock for deadlines. */
#define _GNU_SOURCE
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/daemon.h"

uint64_t test_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

char *directory_create(void)
{
	const char *parent = getenv("TMPDIR");
	char *path;
	ck_assert_int_gt(asprintf(&path, "%s/millrace-XXXXXX", parent && *parent ? parent : "/tmp"), 0);
	ck_assert_msg(mkdtemp(path) != NULL, "mkdtemp %s: %m", path);
	return path;
}

void directory_destroy(char *directory)
{
	DIR *entries = opendir(directory);
	ck_assert_msg(entries != NULL, "%s: %m", directory);
	for (struct dirent *entry; (entry = readdir(entries));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(entries), entry->d_name, 0);
	closedir(entries);
	ck_assert_msg(rmdir(directory) == 0, "%s: %m", directory);
	free(directory);
}

char *directory_write(const char *directory, const char *name, const char *text)
{
	char *path;
	ck_assert_int_gt(asprintf(&path, "%s/%s", directory, name), 0);
	FILE *file = fopen(path, "w");
	ck_assert_msg(file != NULL, "%s: %m", path);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}
