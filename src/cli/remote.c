/* The server that a client command talks to; see remote.h. */
#include "cli/remote.h"

#include <errno.h>

#include "base/clock.h"
#include "fanfare/error.h"

#define CONNECT_MS     10000
#define LARGEST_ANSWER ((size_t)64 * 1024 * 1024)

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

/* Whether the server would be started on this machine, by the user who asks. */
static bool is_local(const struct url *url)
{
    return url->unix_socket || strcmp(url->host, "localhost") == 0 ||
           strcmp(url->host, "::1") == 0 || slice_starts(slice_from(url->host), "127.");
}

/* The command that would start a server there. */
static void append_start(struct buf *out, const struct remote *r)
{
    const struct url *url = &r->target.url;
    BUF_LITERAL(out, "; start one with: fanfare serve");
    if (url->unix_socket)
        buf_printf(out, " --listen unix:%s", url->host);
    else if (strcmp(url->port, "8000") != 0)
        buf_printf(out, " --listen %s", url->authority);
}

void remote_append_reason(struct buf *out, const struct remote *r, struct slice why)
{
    const struct url *url = &r->target.url;
    bool refused = slice_is(why, strerror(ECONNREFUSED)) ||
                   (url->unix_socket && slice_is(why, strerror(ENOENT)));
    if (!refused) {
        buf_printf(out, "cannot reach %s: %.*s", r->url, SLICE_ARG(why));
        return;
    }
    buf_printf(out, "nothing listens at %s", r->url);
    if (is_local(url) && !url->tls && !*url->base)
        append_start(out, r);
    else
        BUF_LITERAL(out, "; does the server run there?");
}

/* Turns the bare reason in `why` into the one for people. */
static void explain(const struct remote *r, int error, struct buf *why)
{
    struct buf reason = {0};
    struct slice bare = why->len ? buf_slice(why) : slice_from(fan_error_text(error));
    remote_append_reason(&reason, r, bare);
    buf_clear(why);
    buf_append_slice(why, buf_slice(&reason));
    buf_fini(&reason);
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
        explain(r, error, &why);
        command_error(command, "%s", buf_text(&why));
    }
    buf_fini(&why);
    return error ? FAILED : 0;
}

static int take_body(void *arg, struct slice piece)
{
    struct buf *body = arg;
    buf_append_slice(body, piece);
    return body->failed ? FAN_E_TOO_LARGE : 0;
}

/* What an answer other than 200 means. */
static int judge(const struct remote *r, const struct response *response, struct buf *why)
{
    int status = response->status;
    response_append_error(why, response);
    if (status == 401 && !r->token)
        BUF_LITERAL(why, " (give a token with FANFARE_TOKEN or --token)");
    if (status == 401 || status == 403)
        return FAN_E_DENIED;
    if (status == 404)
        return FAN_E_NOT_FOUND;
    return status >= 400 && status < 500 && status != 429 ? FAN_E_INVALID : FAN_E_UNAVAILABLE;
}

int remote_get(const struct remote *r, struct slice target, int timeout_ms, struct buf *body,
               struct buf *why)
{
    struct response response;
    struct exchange e = {
        .target = &r->target, .deadline = clock_ms() + (uint64_t)timeout_ms, .why = why};
    response_init(&response);
    response.on_body = take_body;
    response.arg = body;
    body->limit = LARGEST_ANSWER;
    int error = exchange_request(&e, "GET", target, r->token, (struct slice){0}, &response);
    if (error)
        explain(r, error, why);
    else if (response.status != 200)
        error = judge(r, &response, why);
    response_fini(&response);
    return error;
}
