/* `fanfare token inspect` and `fanfare token explain`. */
#include <stdio.h>
#include <string.h>

#include "auth/permit.h"
#include "base/clock.h"
#include "cli/terminal.h"
#include "cli/token_commands.h"
#include "cli/token_judge.h"
#include "codec/json_writer.h"
#include "hub/topic_name.h"

/* ---- The token ---- */

/* The argument behind the command's name, or stdin for "-". */
static int read_token(const struct arguments *a, struct buf *out)
{
    const char *text = a->rest_count > 1 ? a->rest[1] : NULL;
    char piece[1024];
    size_t n;
    if (!text)
        return usage_error(&token_command, "%s expects a TOKEN, or - for stdin", a->rest[0]);
    if (strcmp(text, "-") != 0) {
        buf_append_text(out, text);
        return 0;
    }
    while (out->len <= 2 * TOKEN_MAX && (n = fread(piece, 1, sizeof piece, stdin)) > 0)
        buf_append(out, piece, n);
    while (out->len && strchr(" \t\r\n", out->data[out->len - 1]))
        out->len--;
    return out->len ? 0 : command_error(&token_command, "stdin has no token");
}

/* Who it is to a server here; NULL with the refusal, or with a message and *failed. */
static struct identity *judge(const struct arguments *a, struct slice token,
                              struct token_refusal *refusal, bool *failed)
{
    struct token_judge judge;
    struct buf why = {0};
    struct identity *who = NULL;
    struct authenticator *authenticator = NULL;
    *failed = token_judge_init(&judge, a) != 0;
    if (!*failed) {
        authenticator = authenticator_new(&judge.options, &why);
        *failed = authenticator == NULL;
        if (*failed)
            command_error(&token_command, "%s", buf_text(&why));
    }
    if (!*failed)
        who = authenticator_identify(authenticator, token, refusal);
    authenticator_free(authenticator);
    token_judge_fini(&judge);
    buf_fini(&why);
    return who;
}

/* ---- inspect ---- */

static void append_span(struct buf *out, int64_t ms)
{
    int64_t s = (ms < 0 ? -ms : ms) / 1000;
    const char *unit = s < 120 ? "seconds" : s < 7200 ? "minutes" : s < 172800 ? "hours" : "days";
    int64_t n = s < 120 ? s : s < 7200 ? s / 60 : s < 172800 ? s / 3600 : s / 86400;
    buf_printf(out, ms < 0 ? "%lld %s ago" : "in %lld %s", (long long)n, unit);
}

static void append_expiry(struct buf *out, const struct token *token)
{
    struct json_value value;
    char text[CLOCK_TEXT_SIZE];
    BUF_LITERAL(out, "expires    ");
    if (!token_member(&token->claims, "exp", &value) || value.kind != JSON_NUMBER) {
        BUF_LITERAL(out, "never\n");
        return;
    }
    double ms = json_number(value) * 1000;
    int64_t expires = ms > 0 && ms < 253402300799000.0 ? (int64_t)ms : 0;
    clock_format(expires, text);
    buf_printf(out, "%s, ", text);
    append_span(out, expires - clock_wall_ms());
    BUF_LITERAL(out, "\n");
}

static void append_human(struct buf *out, const struct token *token,
                         const struct token_refusal *refusal)
{
    bool colours = terminal_has_colours(stdout);
    struct json_value whole;
    struct json_member member;
    if (refusal->problem) {
        terminal_append(out, colours, STYLE_RED, slice_from("not good"));
        buf_printf(out, "   %s: %s\n", token_problem_reason(refusal->problem), refusal->detail);
    } else {
        terminal_append(out, colours, STYLE_GREEN, slice_from("good"));
        BUF_LITERAL(out, "\n");
    }
    BUF_LITERAL(out, "algorithm  ");
    terminal_append_plain(out, buf_slice(&token->algorithm));
    BUF_LITERAL(out, "\n");
    append_expiry(out, token);
    json_parse(buf_slice(&token->claims), &whole, NULL);
    struct json_iter it = json_members(whole);
    while (json_next_member(&it, &member)) {
        struct buf value = {0};
        json_append_compact(&value, member.value);
        terminal_append_plain(out, member.name);
        for (size_t i = member.name.len; i < 10; i++)
            buf_append_char(out, ' ');
        BUF_LITERAL(out, " ");
        terminal_append_plain(out, buf_slice(&value));
        BUF_LITERAL(out, "\n");
        buf_fini(&value);
    }
}

static void put_refusal(struct buf *out, const struct token_refusal *refusal)
{
    json_put_bool(out, "good", refusal->problem == TOKEN_GOOD);
    if (refusal->problem) {
        json_put_text(out, "reason", token_problem_reason(refusal->problem));
        json_put_text(out, "detail", refusal->detail);
    }
}

static void append_json(struct buf *out, const struct token *token,
                        const struct token_refusal *refusal)
{
    json_begin(out, NULL, '{');
    put_refusal(out, refusal);
    json_put_raw(out, "header", buf_slice(&token->header));
    json_put_raw(out, "claims", buf_slice(&token->claims));
    json_end(out, '}');
    BUF_LITERAL(out, "\n");
}

static int show(const struct arguments *a, const struct token *token)
{
    struct token_refusal refusal = {0};
    struct buf out = {0};
    bool failed;
    struct identity *who = judge(a, token->text, &refusal, &failed);
    if (failed)
        return FAILED;
    (arguments_has(a, "json") ? append_json : append_human)(&out, token, &refusal);
    bool written = terminal_write(stdout, &out);
    buf_fini(&out);
    identity_unref(who);
    return written && who ? DONE : FAILED;
}

int token_inspect(const struct arguments *a)
{
    struct token_refusal refusal;
    struct buf text = {0};
    struct token token;
    if (a->rest_count > 2)
        return usage_error(&token_command, "inspect takes one TOKEN, got \"%s\" too", a->rest[2]);
    int code = read_token(a, &text);
    if (!code) {
        if (token_parse(buf_slice(&text), &token, &refusal))
            code = command_error(&token_command, "%s: %s", token_problem_reason(refusal.problem),
                                 refusal.detail);
        else
            code = show(a, &token);
        token_fini(&token);
    }
    buf_fini(&text);
    return code;
}

/* ---- explain ---- */

struct answer {
    const char *what, *name;
    struct access_decision decision;
};

static void append_answer(struct buf *out, const struct answer *answer, const char *topic)
{
    bool colours = terminal_has_colours(stdout);
    buf_printf(out, "may %s %s: ", answer->what, topic);
    terminal_append(out, colours, answer->decision.allowed ? STYLE_GREEN : STYLE_RED,
                    slice_from(answer->decision.allowed ? "yes" : "no"));
    BUF_LITERAL(out, ", because ");
    access_decision_append(out, &answer->decision);
    BUF_LITERAL(out, "\n");
}

static void put_answer(struct buf *out, const struct answer *answer)
{
    struct buf because = {0};
    access_decision_append(&because, &answer->decision);
    json_begin(out, answer->name, '{');
    json_put_bool(out, "allowed", answer->decision.allowed);
    json_put_slice(out, "because", buf_slice(&because));
    json_end(out, '}');
    buf_fini(&because);
}

static void append_answers(struct buf *out, const struct arguments *a, const struct identity *who,
                           const struct token_refusal *refusal)
{
    const char *topic = a->rest[2];
    char refused[300];
    snprintf(refused, sizeof refused, "%s: %s", token_problem_reason(refusal->problem),
             refusal->detail);
    struct answer answers[] = {
        {"read", "read", identity_may_read(who, slice_from(topic))},
        {"publish to", "publish", identity_may_publish(who, slice_from(topic))},
    };
    bool json = arguments_has(a, "json");
    if (json) {
        json_begin(out, NULL, '{');
        put_refusal(out, refusal);
        json_put_text(out, "user", who ? who->principal.name : NULL);
        json_put_text(out, "topic", topic);
    }
    for (int i = 0; i < 2; i++) {
        if (!who)
            answers[i].decision.because = refused;
        if (json)
            put_answer(out, &answers[i]);
        else
            append_answer(out, &answers[i], topic);
    }
    if (json)
        BUF_LITERAL(out, "}\n");
}

static int explain(const struct arguments *a, struct slice token)
{
    struct token_refusal refusal = {0};
    struct buf out = {0};
    bool failed;
    struct identity *who = judge(a, token, &refusal, &failed);
    if (failed)
        return FAILED;
    append_answers(&out, a, who, &refusal);
    bool allowed = identity_may_read(who, slice_from(a->rest[2])).allowed;
    bool written = terminal_write(stdout, &out);
    buf_fini(&out);
    identity_unref(who);
    return written && allowed ? DONE : FAILED;
}

int token_explain(const struct arguments *a)
{
    struct topic_name topic;
    struct buf text = {0};
    const char *why;
    if (a->rest_count != 3)
        return usage_error(&token_command, "explain expects a TOKEN and a TOPIC");
    if (topic_name_parse(slice_from(a->rest[2]), &topic, &why) != 0)
        return usage_error(&token_command, "\"%s\": %s", a->rest[2], why);
    int code = read_token(a, &text);
    if (!code && (text.len == 0 || slice_is(buf_slice(&text), "null")))
        code = usage_error(&token_command, "the TOKEN is empty");
    if (!code)
        code = explain(a, buf_slice(&text));
    buf_fini(&text);
    return code;
}
