/* Tokens and rights at HTTP requests; see permit.h. */
#include "auth/permit.h"

#include "net/ws_conn.h"

/* ---- Where a token stands ---- */

/* RFC 6750, 2.1; other schemes are other people's. */
static struct slice from_header(const struct http_request *r)
{
    struct slice value = slice_trim(http_header_get(r, "Authorization")), scheme;
    if (!slice_split(&value, ' ', &scheme) || !slice_is_nocase(scheme, "Bearer"))
        return slice_of(NULL, 0);
    return slice_trim(value);
}

static struct slice from_query(const struct http_request *r, struct buf *storage)
{
    if (!r->query.len || !memmem(r->query.ptr, r->query.len, "token=", 6) ||
        http_query_get(r->query, "token", storage) != 0)
        return slice_of(NULL, 0);
    return buf_slice(storage);
}

struct slice permit_find_token(const struct http_request *r, struct buf *storage)
{
    struct slice token = from_header(r);
    if (!token.len && r->upgrade)
        token = ws_offered_token(r);
    return token.len ? token : from_query(r, storage);
}

/* ---- Answers ---- */

/* RFC 6750, 3: no error code when there was no token at all. */
void permit_refuse_token(struct http_exchange *x, const struct token_refusal *refusal)
{
    bool missing = refusal->problem == TOKEN_MISSING;
    http_add_header(x, "WWW-Authenticate",
                    missing ? "Bearer realm=\"fanfare\""
                            : "Bearer realm=\"fanfare\", error=\"invalid_token\"");
    http_reply_error(x, 401, token_problem_code(refusal->problem), "%s: %s",
                     token_problem_reason(refusal->problem), refusal->detail);
}

void permit_explain(struct buf *out, const struct identity *who,
                    const struct access_decision *decision, const char *what, struct slice object)
{
    buf_printf(out, "%s may%s %s%s%.*s: ", who ? who->principal.name : "nobody",
               decision->allowed ? "" : " not", what, object.len ? " " : "", SLICE_ARG(object));
    access_decision_append(out, decision);
}

bool permit(struct http_exchange *x, struct access_decision decision, const char *what,
            struct slice object)
{
    const struct identity *who = permit_identity(x);
    struct buf text = {0};
    if (decision.allowed)
        return true;
    if (!who || who->anonymous)
        http_add_header(x, "WWW-Authenticate", "Bearer realm=\"fanfare\"");
    permit_explain(&text, who, &decision, what, object);
    if (!who || who->anonymous)
        http_reply_error(x, 401, token_problem_code(TOKEN_MISSING), "%s", buf_text(&text));
    else
        http_reply_error(x, 403, "forbidden", "%s", buf_text(&text));
    buf_fini(&text);
    return false;
}

bool permit_read(struct http_exchange *x, struct slice topic)
{
    return permit(x, identity_may_read(permit_identity(x), topic), "read", topic);
}

bool permit_publish_somewhere(struct http_exchange *x)
{
    return permit(x, identity_may_publish_somewhere(permit_identity(x)), "publish",
                  slice_of("", 0));
}

bool permit_execute(struct http_exchange *x)
{
    return permit(x, identity_may_execute(permit_identity(x)), "run code", slice_of("", 0));
}

bool permit_ai(struct http_exchange *x)
{
    return permit(x, identity_may_use_ai(permit_identity(x)), "use AI", slice_of("", 0));
}

bool permit_enter(struct http_exchange *x)
{
    const struct identity *who = permit_identity(x);
    struct access_decision decision = identity_may_administer(who);
    decision.allowed |= who && !who->anonymous;
    return permit(x, decision, "enter", slice_of("", 0));
}

bool permit_administer(struct http_exchange *x)
{
    return permit(x, identity_may_administer(permit_identity(x)), "do this", slice_of("", 0));
}
