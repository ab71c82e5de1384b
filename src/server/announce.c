/* What is said when the server listens: a line in the log, and one of JSON for programs. */
#include <unistd.h>

#include "base/log.h"
#include "codec/json_writer.h"
#include "net/flush.h"
#include "server/private.h"

static const char *mode_text(const struct config *config)
{
    if (token_is_needed(config))
        return "every request needs a token";
    return config->insecure
               ? "open mode, and reachable from elsewhere: no tokens are asked for (--insecure)"
               : "open mode: every program of this machine may read and publish";
}

static const char *mode_name(const struct config *config)
{
    if (token_is_needed(config))
        return "token";
    return config->insecure ? "insecure" : "open";
}

void server_log_start(struct server *s)
{
    log_info("server", mode_text(s->config), LOG_TEXT("version", FANFARE_VERSION),
             LOG_TEXT("engine", hub_engine_name(s->hub)),
             LOG_TEXT("flush", s->workers[0].flush->ops->name), LOG_U64("workers", s->worker_count),
             LOG_U64("pid", getpid()));
    if (s->config->insecure && !token_is_needed(s->config) && s->config->public_urls.count == 0)
        log_warn("server", "requests that name this machine otherwise than localhost or by an "
                           "address that is listened on get 403: say its names with --public-url");
    if (authenticator_is_weak(s->authenticator))
        log_warn("auth", "JWT_SECRET_KEY has less than 32 bytes: who sees a token may be able to "
                         "find it by trying");
}

void server_append_start(struct server *s, struct buf *out)
{
    struct buf url = {0};
    json_begin(out, "urls", '[');
    for (size_t i = 0; server_append_url(s, i, &url); i++) {
        json_put_name(out, NULL);
        json_append_lossy(out, buf_slice(&url));
        buf_clear(&url);
    }
    json_end(out, ']');
    json_put_text(out, "mode", mode_name(s->config));
    json_put_text(out, "engine", hub_engine_name(s->hub));
    json_put_text(out, "flush", s->workers[0].flush->ops->name);
    json_put_u64(out, "workers", s->worker_count);
    json_put_text(out, "version", FANFARE_VERSION);
    json_put_u64(out, "pid", (uint64_t)getpid());
    buf_fini(&url);
}

void server_append_drain(struct server *s, struct buf *out)
{
    json_put_u64(out, "connections", atomic_load(&s->shared.connections));
    json_put_u64(out, "drain_ms", server_settings_now(s)->config->drain_ms);
}
