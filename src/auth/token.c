/*
 * Taking tokens apart; see token.h.
 *
 * The signature's library parses them again. That is on purpose: what reaches it has exactly one
 * reading already (strict base64url, no name twice, nothing critical that we do not know), so the
 * two cannot be played off against each other.
 */
#include "auth/token.h"

#include "codec/base64url.h"
#include "fanfare/error.h"

/* Members of one object; a token's are few. */
#define MEMBERS_MAX 128

static enum token_problem malformed(struct token_refusal *refusal, const char *what,
                                    const char *why)
{
    return token_refuse(refusal, TOKEN_MALFORMED, "%s %s", what, why);
}

/* ---- Names ---- */

/* The members' names, escapes resolved, one after the other. */
struct names {
    struct buf text;
    size_t begin[MEMBERS_MAX + 1];
    unsigned count;
};

static struct slice name_at(const struct names *names, unsigned i)
{
    struct slice rest = slice_skip(buf_slice(&names->text), names->begin[i]);
    return slice_of(rest.ptr, names->begin[i + 1] - names->begin[i]);
}

/* Adds the last name; false when it is there already. */
static bool add_name(struct names *names, const struct json_member *member)
{
    /* With its quotes the name is a string value. */
    const struct json_value name = {JSON_STRING,
                                    slice_of(member->name.ptr - 1, member->name.len + 2)};
    json_string_append(&names->text, name);
    names->begin[++names->count] = names->text.len;
    for (unsigned i = 0; i + 1 < names->count; i++)
        if (slice_equal(name_at(names, i), name_at(names, names->count - 1)))
            return false;
    return true;
}

static const char *check_names(struct json_value object)
{
    struct names names = {0};
    struct json_member member;
    const char *why = NULL;
    struct json_iter it = json_members(object);
    while (!why && json_next_member(&it, &member)) {
        if (names.count == MEMBERS_MAX)
            why = "has too many members";
        else if (!add_name(&names, &member))
            why = "has a name twice";
        else if (names.text.failed)
            why = "is too large";
    }
    buf_fini(&names.text);
    return why;
}

/* ---- Parts ---- */

static enum token_problem read_object(struct slice part, const char *what, struct buf *out,
                                      struct token_refusal *refusal)
{
    struct json_value value;
    if (base64url_decode(part, out) != 0)
        return malformed(refusal, what, "is not base64url");
    if (json_parse(buf_slice(out), &value, NULL) != 0)
        return malformed(refusal, what, "is not JSON");
    if (value.kind != JSON_OBJECT)
        return malformed(refusal, what, "is not a JSON object");
    const char *why = check_names(value);
    return why ? malformed(refusal, what, why) : TOKEN_GOOD;
}

bool token_member(const struct buf *object, const char *name, struct json_value *value)
{
    struct json_value whole;
    return json_parse(buf_slice(object), &whole, NULL) == 0 &&
           json_find(whole, slice_from(name), value) && value->kind != JSON_NULL;
}

/* Text of a header's member, which may be missing. */
static enum token_problem read_text(struct token *t, const char *name, struct buf *out,
                                    struct token_refusal *refusal)
{
    struct json_value value;
    if (!token_member(&t->header, name, &value))
        return TOKEN_GOOD;
    if (value.kind != JSON_STRING)
        return token_refuse(refusal, TOKEN_MALFORMED, "the header's %s is no string", name);
    json_string_append(out, value);
    return out->failed ? malformed(refusal, "the header", "is too large") : TOKEN_GOOD;
}

static enum token_problem read_header(struct token *t, struct token_refusal *refusal)
{
    struct json_value critical;
    enum token_problem problem = read_text(t, "alg", &t->algorithm, refusal);
    if (!problem)
        problem = read_text(t, "kid", &t->key_id, refusal);
    if (problem)
        return problem;
    if (!t->algorithm.len)
        return malformed(refusal, "the header", "has no alg");
    /* RFC 7515, 4.1.11: whoever does not understand what is critical must refuse. */
    if (token_member(&t->header, "crit", &critical))
        return malformed(refusal, "the header", "has critical extensions (crit)");
    return TOKEN_GOOD;
}

enum token_problem token_parse(struct slice text, struct token *t, struct token_refusal *refusal)
{
    *t = (struct token){.text = text};
    struct slice rest = text, part[3] = {{0}};
    struct buf signature = {0};
    size_t dots = 0;
    for (size_t i = 0; i < text.len; i++)
        dots += text.ptr[i] == '.';
    if (text.len > TOKEN_MAX)
        return token_refuse(refusal, TOKEN_MALFORMED, "the token has %zu bytes, at most %d count",
                            text.len, TOKEN_MAX);
    if (dots != 2 || text.ptr[text.len - 1] == '.')
        return malformed(refusal, "the token", "has not three parts with dots between");
    for (int i = 0; i < 3; i++)
        slice_split(&rest, '.', &part[i]);
    enum token_problem problem = read_object(part[0], "the header", &t->header, refusal);
    if (!problem)
        problem = read_object(part[1], "the payload", &t->claims, refusal);
    if (!problem && base64url_decode(part[2], &signature) != 0)
        problem = malformed(refusal, "the signature", "is not base64url");
    buf_fini(&signature);
    return problem ? problem : read_header(t, refusal);
}

void token_fini(struct token *t)
{
    buf_fini(&t->header);
    buf_fini(&t->claims);
    buf_fini(&t->algorithm);
    buf_fini(&t->key_id);
}
