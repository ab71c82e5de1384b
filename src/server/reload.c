/* What SIGHUP changes: the options that can be while the server runs, and the log. */
#include <errno.h>

#include "base/log.h"
#include "fanfare/error.h"
#include "server/private.h"

int server_configure_log(const struct config *config, struct buf *why)
{
    const struct log_options options = {
        .level = (enum log_level)config->log.level,
        .json = config->log.format == CONFIG_LOG_JSON,
        .path = config->log.file[0] ? config->log.file : NULL,
    };
    int error = log_configure(&options);
    if (error)
        buf_printf(why, "cannot open the log file %s: %s", config->log.file, strerror(errno));
    return error;
}

static void log_lines(enum log_level level, const char *message, struct buf *lines)
{
    struct slice rest = buf_slice(lines), line;
    while (slice_split(&rest, '\n', &line))
        if (line.len && log_enabled(level))
            LOG_CALL(level, "config", message, LOG_SLICE("reason", line), (struct log_field){0});
}

void server_reload(struct server *s)
{
    struct config *fresh;
    struct buf kept = {0}, problems = {0};
    int error = config_reload(server_settings_now(s)->config, &fresh, &kept, &problems);
    if (!error) {
        error = server_apply_settings(s, fresh, fresh, &problems);
        if (error)
            config_free(fresh);
    }
    if (error) {
        log_lines(LOG_ERROR, "the configuration has a mistake; nothing was changed", &problems);
    } else {
        if (server_configure_log(fresh, &problems) != 0)
            log_lines(LOG_ERROR, "the log goes on where it was", &problems);
        log_lines(LOG_WARN, "not reloaded", &kept);
        log_info("server", "configuration reloaded");
    }
    buf_fini(&kept);
    buf_fini(&problems);
}
