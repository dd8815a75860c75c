/* The taps of the configuration: made at the start, and made or changed when it is loaded again. */
#include "daemon/server/configured_taps.h"

#include "daemon/log.h"
#include "daemon/server/configured_channels.h"
#include "daemon/server/server_state.h"
#include "daemon/session/tap_match.h"

static_assert((int)CONFIG_TAP_RUN == (int)CORE_TAP_RUN && (int)CONFIG_TAP_PAUSE == (int)CORE_TAP_PAUSE &&
		      (int)CONFIG_TAP_MUTE == (int)CORE_TAP_MUTE && (int)CONFIG_TAP_SOLO == (int)CORE_TAP_SOLO,
	      "a state is the same to both");

static enum error create_tap(struct server *server, const struct config_tap *tap)
{
	char why[MATCH_DETAIL_BYTES];
	enum error error = ERROR_NONE;
	struct core_event event = {
		.op = CORE_TAP,
		.channel = slice_from(tap->from),
		.tap = {.to = slice_from(tap->to), .closes = tap->close, .state = (enum core_tap_state)tap->state},
	};
	if (tap->match && !(event.tap.match = tap_match_create(slice_from(tap->match), &error, why)))
		return error;
	return broker_step(&server->broker, &event);
}

size_t server_create_taps(struct server *server, const struct config *config, struct slice group)
{
	size_t failed = 0;
	for (size_t i = 0; i < config->n_taps; i++) {
		const struct config_tap *tap = &config->taps[i];
		if (!server_has_group_of(server, tap->from, group))
			continue;
		enum error error = create_tap(server, tap);
		if (error == ERROR_NONE)
			continue;
		log_warning("tap from %s to %s of the configuration: %s", tap->from, tap->to, error_text(error));
		failed++;
	}
	return failed;
}
