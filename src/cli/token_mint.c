/* `fanfare token mint`: a signed token on stdout. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/terminal.h"
#include "cli/token_commands.h"
#include "cli/token_judge.h"
#include "codec/json_writer.h"
#include "codec/utf8.h"
#include "hub/topic_name.h"
#include "hub/topic_pattern.h"

#define LONGEST_S (100LL * 365 * 86400)

/* ---- Claims ---- */

static int put_subject(struct buf *out, const struct arguments *a)
{
    const char *sub = arguments_get(a, "sub");
    struct buf topic = {0};
    if (!sub || !*sub)
        return usage_error(&token_command, "mint needs --sub USER");
    bool fits = utf8_valid(slice_from(sub)) && topic_user_append(&topic, slice_from(sub)) == 0;
    buf_fini(&topic);
    if (!fits)
        return usage_error(&token_command, "--sub: expected text in UTF-8 whose topic has at most "
                                           "384 characters");
    json_put_text(out, "sub", sub);
    return 0;
}

static int put_patterns(struct buf *out, const struct arguments *a, const char *name)
{
    struct slice rest = slice_from(arguments_get(a, name)), pattern;
    if (!rest.ptr)
        return 0;
    json_begin(out, name, '[');
    while (slice_split(&rest, ',', &pattern)) {
        if (!topic_pattern_valid(pattern))
            return usage_error(&token_command,
                               "--%s: expected patterns of topics such as session:* with commas "
                               "between, got \"%.*s\"",
                               name, SLICE_ARG(pattern));
        json_put_slice(out, NULL, pattern);
    }
    json_end(out, ']');
    return 0;
}

/* Seconds; -1: for ever. */
static int read_lifetime(const struct arguments *a, long long *seconds)
{
    static const struct {
        const char *name;
        long long factor;
    } units[] = {{"s", 1}, {"", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    const char *text = arguments_get(a, "expires");
    char *end;
    *seconds = text && strcmp(text, "never") == 0 ? -1 : 3600;
    if (!text || *seconds < 0)
        return 0;
    long long n = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (end != text && n > 0 && strcmp(end, units[i].name) == 0 &&
            n <= LONGEST_S / units[i].factor) {
            *seconds = n * units[i].factor;
            return 0;
        }
    return usage_error(&token_command,
                       "--expires: expected a time such as 15m, 8h or 30d, or "
                       "never, got \"%s\"",
                       text);
}

static int put_role(struct buf *out, const struct arguments *a)
{
    const char *role = arguments_get(a, "role");
    if (!role)
        return 0;
    if (strcmp(role, "admin") != 0)
        return usage_error(&token_command, "--role: expected admin, got \"%s\"", role);
    json_put_text(out, "role", role);
    return 0;
}

/* Whole seconds, rounded up: it is good for as long as was asked for. */
static void put_times(struct buf *out, long long lifetime, int64_t *expires_ms)
{
    uint64_t now = (uint64_t)clock_wall_ms() / 1000;
    json_put_u64(out, "iat", now);
    *expires_ms = 0;
    if (lifetime < 0)
        return;
    json_put_u64(out, "exp", now + (uint64_t)lifetime);
    *expires_ms = (int64_t)(now + (uint64_t)lifetime) * 1000;
}

static int put_claims(struct buf *out, const struct arguments *a, int64_t *expires_ms)
{
    long long lifetime;
    json_begin(out, NULL, '{');
    int code = put_subject(out, a);
    if (!code)
        code = put_patterns(out, a, "rooms");
    if (!code)
        code = put_patterns(out, a, "publish");
    if (!code)
        code = put_role(out, a);
    if (!code)
        code = read_lifetime(a, &lifetime);
    if (code)
        return code;
    if (arguments_has(a, "execute"))
        json_put_bool(out, "execute", true);
    if (arguments_has(a, "ai"))
        json_put_bool(out, "ai", true);
    put_times(out, lifetime, expires_ms);
    json_end(out, '}');
    return 0;
}

/* ---- Signing ---- */

static int print(const struct arguments *a, const struct buf *token, const struct buf *claims,
                 int64_t expires_ms)
{
    struct buf out = {0};
    if (arguments_has(a, "json")) {
        json_begin(&out, NULL, '{');
        json_put_slice(&out, "token", buf_slice(token));
        json_put_raw(&out, "claims", buf_slice(claims));
        json_put_time(&out, "expires", expires_ms);
        json_end(&out, '}');
    } else {
        buf_append_slice(&out, buf_slice(token));
    }
    BUF_LITERAL(&out, "\n");
    bool written = terminal_write(stdout, &out);
    buf_fini(&out);
    return written ? DONE : FAILED;
}

static int sign(const struct arguments *a, const struct buf *claims, int64_t expires_ms)
{
    struct token_judge judge;
    struct buf token = {0};
    bool development = false;
    const char *kid = arguments_get(a, "kid");
    struct key *key = NULL;
    int code = token_judge_init(&judge, a);
    if (!code) {
        key = token_judge_signing_key(&judge, a, &development);
        code = key ? 0 : FAILED;
    }
    if (!code && key_sign(key, buf_slice(claims), slice_from(kid ? kid : ""), &token) != 0)
        code = command_error(&token_command, "the key cannot sign");
    if (!code && development && isatty(STDERR_FILENO))
        fprintf(stderr, "Signed with the development key, %s: for servers in the open mode.\n",
                buf_text(&judge.path));
    if (!code)
        code = print(a, &token, claims, expires_ms);
    key_free(key);
    buf_fini(&token);
    token_judge_fini(&judge);
    return code;
}

int token_mint(const struct arguments *a)
{
    struct buf claims = {0};
    int64_t expires_ms;
    if (a->rest_count > 1)
        return usage_error(&token_command, "mint takes no argument \"%s\"", a->rest[1]);
    int code = put_claims(&claims, a, &expires_ms);
    if (!code)
        code = sign(a, &claims, expires_ms);
    buf_fini(&claims);
    return code;
}
