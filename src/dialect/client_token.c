/*
 * The token of a client, for all dialects: they only word what is said here (dialect.error,
 * dialect.token_refreshed).
 */
#include "dialect/client_token.h"

#include "auth/authenticator.h"
#include "auth/permit.h"
#include "base/clock.h"
#include "dialect/client.h"
#include "dialect/websocket_client.h"

static const struct json_value no_message = {JSON_NULL, {"null", 4}};

/* ---- Rights ---- */

struct identity *client_identity(const struct client *c)
{
    return identity_of(login_principal(&c->ws.conn));
}

enum token_problem client_login(struct client *c, struct slice token, struct token_refusal *refusal)
{
    struct authenticator *a = client_delivery(c)->options->authenticator;
    struct identity *who = authenticator_identify(a, token, refusal);
    if (!who)
        return refusal->problem;
    if (login_renew(&c->ws.conn, &who->principal, &client_login_ops) != 0)
        conn_close(&c->ws.conn, "out of memory");
    identity_unref(who);
    return TOKEN_GOOD;
}

static bool decide(const struct client *c, struct access_decision decision, const char *what,
                   struct slice object, struct buf *why)
{
    if (!decision.allowed)
        permit_explain(why, client_identity(c), &decision, what, object);
    return decision.allowed;
}

/* A pattern of topics is asked about as it stands: only a pattern of rights that ends in `*` and
 * begins no longer fits its '*', which no topic has. */
bool client_may_read(const struct client *c, struct slice topic, struct buf *why)
{
    return decide(c, identity_may_read(client_identity(c), topic), "read", topic, why);
}

bool client_may_publish(const struct client *c, struct slice topic, struct buf *why)
{
    return decide(c, identity_may_publish(client_identity(c), topic), "publish to", topic, why);
}

bool client_may_execute(const struct client *c, struct buf *why)
{
    return decide(c, identity_may_execute(client_identity(c)), "run code", SLICE(""), why);
}

bool client_may_use_ai(const struct client *c, struct buf *why)
{
    return decide(c, identity_may_use_ai(client_identity(c)), "use AI", SLICE(""), why);
}

/* ---- The end ---- */

static bool on_expired(struct conn *conn)
{
    struct client *c = client_from_conn(conn);
    bool may_renew = c->dialect->token_refreshed != NULL;
    struct buf text = {0};
    if (c->ws.close_sent || !c->dialect->error)
        return false;
    BUF_LITERAL(&text, "the token has expired");
    if (may_renew)
        buf_printf(&text, ": send a fresh one with refresh_token within %llu s",
                   (unsigned long long)(NET_LIMIT(conn->worker, token_grace_ms) / 1000));
    c->dialect->error(c, no_message, token_problem_code(TOKEN_EXPIRED), buf_slice(&text));
    buf_fini(&text);
    return may_renew;
}

static void on_end(struct conn *conn)
{
    struct client *c = client_from_conn(conn);
    if (c->dialect->token_ended)
        c->dialect->token_ended(c);
    else if (ws_is(conn))
        ws_close(ws_from_conn(conn), WS_CLOSE_TOKEN_EXPIRED, "token expired");
    else
        conn_finish(conn, "token expired");
}

const struct login_ops client_login_ops = {.expired = on_expired, .end = on_end};

/* ---- A fresh one ---- */

static void refuse(struct client *c, struct json_value message, const struct token_refusal *refusal)
{
    message_refuse(c, message, token_problem_code(refusal->problem), "%s: %s",
                   token_problem_reason(refusal->problem), refusal->detail);
}

static void answer(struct client *c, struct json_value message, const struct identity *who)
{
    char expires[CLOCK_TEXT_SIZE];
    clock_format(who->expires_ms, expires);
    c->dialect->token_refreshed(c, message, who->expires_ms ? expires : NULL);
}

void client_refresh_token(struct client *c, struct json_value message, struct json_value token)
{
    struct token_refusal refusal;
    struct slice text;
    if (!json_string_plain(token, &text))
        text = slice_of("", 0);
    struct identity *who = authenticator_renew(client_identity(c), text, &refusal);
    if (!who) {
        refuse(c, message, &refusal);
        return;
    }
    if (login_renew(&c->ws.conn, &who->principal, &client_login_ops) == 0)
        answer(c, message, who);
    else
        conn_close(&c->ws.conn, "out of memory");
    identity_unref(who);
}
