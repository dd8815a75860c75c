/* A plain main for a harness: gives it every file of its corpus, and then copies that are changed at random, for about
 * a second. $MILLRACE_SEED repeats a run; $FUZZ_REPLAYS says how many copies. With arguments: only these files. Says
 * its sum as libcheck would. */
#include <dirent.h>
#include <inttypes.h>
#include <libgen.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

enum { MAX_FILES = 4096, MAX_BYTES = 1 << 20, RUN_MS = 1000 };

struct text {
	uint8_t *bytes;
	size_t len;
	char *name;
};

static struct text files[MAX_FILES];
static size_t n_files;
static uint64_t random_state;
static char running[300]; /* for who looks at a crash */

static size_t below(size_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(random_state >> 33) % n;
}

static void on_abort(int signal_number)
{
	static const char what[] = "\nit was ";
	if (write(STDERR_FILENO, what, sizeof(what) - 1) < 0 || write(STDERR_FILENO, running, strlen(running)) < 0 ||
	    write(STDERR_FILENO, "\n", 1) < 0)
		_exit(1);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void load(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc(MAX_BYTES);
	fuzz_assert(file && bytes && n_files < MAX_FILES, "%s cannot be read", path);
	size_t len = fread(bytes, 1, MAX_BYTES, file);
	files[n_files++] = (struct text){bytes, len, strdup(path)};
	fclose(file);
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct text *)a)->name, ((const struct text *)b)->name);
}

static void load_directory(const char *directory)
{
	char path[1024];
	DIR *entries = opendir(directory);
	fuzz_assert(entries, "%s is not there: run it where the Makefile is", directory);
	for (struct dirent *entry; (entry = readdir(entries));) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (entry->d_name[0] != '.')
			load(path);
	}
	closedir(entries);
	qsort(files, n_files, sizeof(files[0]), compare_files); /* the same order everywhere: a seed says all */
}

/* Puts a changed copy of one file, with pieces of others, into `bytes`. */
static size_t change(uint8_t *bytes, size_t room)
{
	const struct text *from = &files[below(n_files)];
	size_t len = from->len < room ? from->len : room;
	memcpy(bytes, from->bytes, len);
	for (size_t i = 1 + below(4); i > 0 && len > 0; i--) {
		const struct text *other = &files[below(n_files)];
		size_t at = below(len), n = other->len ? 1 + below(other->len) : 0;
		n = n < len - at ? n : len - at;
		switch (below(4)) {
		case 0:
			bytes[at] = (uint8_t)below(256);
			break;
		case 1:
			bytes[at] ^= (uint8_t)(1u << below(8));
			break;
		case 2: /* a piece less */
			n = 1 + below(len - at);
			memmove(bytes + at, bytes + at + n, len - at - n);
			len -= n;
			break;
		default: /* a piece of another */
			memcpy(bytes + at, other->bytes + (n ? below(other->len - n + 1) : 0), n);
		}
	}
	return len;
}

static uint64_t now_ms(void)
{
	struct timespec now;
	timespec_get(&now, TIME_UTC);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static size_t run_changed(void)
{
	const char *seed = getenv("MILLRACE_SEED"), *replays = getenv("FUZZ_REPLAYS");
	uint8_t *bytes = malloc(MAX_BYTES);
	size_t n = 0, most = replays ? strtoull(replays, NULL, 10) : SIZE_MAX;
	uint64_t start_ms = now_ms();
	fuzz_assert(bytes, "no memory");
	random_state = seed ? strtoull(seed, NULL, 10) : start_ms;
	printf("seed %" PRIu64 "\n", random_state);
	fflush(stdout);
	for (; n < most && (replays || now_ms() < start_ms + RUN_MS); n++) {
		snprintf(running, sizeof(running), "changed copy %zu", n);
		LLVMFuzzerTestOneInput(bytes, change(bytes, MAX_BYTES));
	}
	free(bytes);
	return n;
}

int main(int argc, char **argv)
{
	char directory[300];
	signal(SIGABRT, on_abort);
	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			load(argv[i]);
	} else {
		snprintf(directory, sizeof(directory), "tests/fuzz/corpus/%s", basename(argv[0]) + strlen("test_"));
		load_directory(directory);
	}
	for (size_t i = 0; i < n_files; i++) {
		snprintf(running, sizeof(running), "%s", files[i].name);
		LLVMFuzzerTestOneInput(files[i].bytes, files[i].len);
	}
	size_t n = argc > 1 || n_files == 0 ? 0 : run_changed();
	printf("%zu files and %zu changed copies\n100%%: Checks: %zu, Failures: 0, Errors: 0\n", n_files, n, n_files);
	for (size_t i = 0; i < n_files; i++) {
		free(files[i].bytes);
		free(files[i].name);
	}
	return 0;
}
