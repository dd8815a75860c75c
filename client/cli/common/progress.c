#include "client/cli/common/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "client/cli/common/terminal.h"
#include "client/net/clock.h"

enum { FIRST_MS = 1000, EVERY_MS = 200 };

void progress_init(struct progress *progress, bool enabled)
{
	*progress = (struct progress){.enabled = enabled, .begun_ms = clock_now_ms()};
	progress->shown_ms = progress->begun_ms + FIRST_MS - EVERY_MS;
}

void progress_update(struct progress *progress, uint64_t accepted, uint64_t dropped, uint64_t read_bytes,
		     uint64_t total_bytes, bool is_parked)
{
	int64_t now = progress->enabled ? clock_now_ms() : 0;

	if (!progress->enabled || now - progress->shown_ms < EVERY_MS)
		return;
	progress->shown_ms = now;
	if (!terminal_is_ours(STDERR_FILENO)) { /* in the background: what stands on that line now is somebody else's */
		progress->is_shown = false;
		return;
	}
	fprintf(stderr, "\r\033[K%" PRIu64 " values put", accepted);
	if (dropped)
		fprintf(stderr, ", %" PRIu64 " dropped", dropped);
	if (total_bytes)
		fprintf(stderr, ", %.0f %% of the file read",
			100.0 * (double)(read_bytes < total_bytes ? read_bytes : total_bytes) / (double)total_bytes);
	fprintf(stderr, ", %.0f a second", (double)accepted * 1000.0 / (double)(now - progress->begun_ms));
	if (is_parked)
		fputs("; waiting for room", stderr);
	fflush(stderr);
	progress->is_shown = true;
}

int progress_wait_ms(const struct progress *progress)
{
	int64_t left = progress->shown_ms + EVERY_MS - (progress->enabled ? clock_now_ms() : 0);

	return !progress->enabled ? -1 : left > 0 ? (int)left : 0;
}

void progress_clear(struct progress *progress)
{
	if (progress->is_shown && terminal_is_ours(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	progress->is_shown = false;
}
