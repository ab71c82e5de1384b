/* The server that a client command talks to; see remote.h. */
#include "cli/remote.h"

#include "base/clock.h"
#include "fanfare/error.h"

#define CONNECT_MS 10000

int remote_init(struct remote *r, const struct arguments *a, int wake)
{
    struct buf why = {0};
    *r = (struct remote){
        .url = arguments_get(a, "url"),
        .token = arguments_get(a, "token"),
        .ca_file = arguments_get(a, "ca"),
    };
    if (!r->url)
        r->url = "http://127.0.0.1:8000";
    int code = 0;
    for (const char *c = r->token; c && *c && !code; c++)
        if (*c <= ' ' || *c > '~')
            code = usage_error(a->command, "--token: it has characters that no token has");
    if (!code && url_parse(r->url, &r->target.url, &why))
        code = usage_error(a->command, "--url %s", buf_text(&why));
    r->target.ca_file = r->ca_file;
    r->target.wake = wake;
    r->target.timeout_ms = CONNECT_MS;
    buf_fini(&why);
    return code;
}

int remote_request(const struct remote *r, const struct command *command, const char *method,
                   struct slice target, struct slice body, int timeout_ms,
                   struct response *response)
{
    struct buf why = {0};
    struct exchange e = {
        .target = &r->target, .deadline = clock_ms() + (uint64_t)timeout_ms, .why = &why};
    int error = exchange_request(&e, method, target, r->token, body, response);
    if (error) {
        const char *reason = why.len ? buf_text(&why) : fan_error_text(error);
        bool refused = strstr(reason, "refused") != NULL;
        command_error(command, "cannot reach %s: %s%s", r->url, reason,
                      refused ? " (does `fanfare serve` run there?)" : "");
    }
    buf_fini(&why);
    return error ? FAILED : 0;
}
