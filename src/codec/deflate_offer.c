/*
 * Negotiation of permessage-deflate (RFC 6455, 9.1; RFC 7692, 5 and 7.1); see deflate.h.
 *
 *   extension-list = 1#extension
 *   extension      = token *( ";" token [ "=" ( token | quoted-string ) ] )
 *
 * The whole header is read even after an offer was accepted: a malformed header fails the
 * handshake wherever the error stands (9.1).
 */
#include <stdio.h>

#include "codec/deflate.h"
#include "fanfare/error.h"

enum parameter {
    SERVER_NO_CONTEXT,
    CLIENT_NO_CONTEXT,
    SERVER_WINDOW,
    CLIENT_WINDOW,
    PARAMETERS,
};

static const struct {
    const char *name;
    bool may_have_value, must_have_value;
} parameters[PARAMETERS] = {
    [SERVER_NO_CONTEXT] = {"server_no_context_takeover", false, false},
    [CLIENT_NO_CONTEXT] = {"client_no_context_takeover", false, false},
    [SERVER_WINDOW] = {"server_max_window_bits", true, true},
    [CLIENT_WINDOW] = {"client_max_window_bits", true, false},
};

struct offer {
    bool acceptable; /* permessage-deflate, and nothing wrong with it so far */
    bool given[PARAMETERS];
    unsigned bits[PARAMETERS]; /* of the windows; 0: without a value */
};

/* A parameter's value, quotes and escapes resolved; long ones are cut, as none that counts is. */
struct value {
    bool given;
    char text[8];
    size_t len; /* may be larger than the room */
};

static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip_blanks(struct slice *rest)
{
    while (rest->len && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t'))
        *rest = slice_skip(*rest, 1);
}

/* Takes the character and the blanks behind it. */
static bool take_char(struct slice *rest, char c)
{
    if (!rest->len || rest->ptr[0] != c)
        return false;
    *rest = slice_skip(*rest, 1);
    skip_blanks(rest);
    return true;
}

static bool take_token(struct slice *rest, struct slice *token)
{
    size_t n = 0;
    while (n < rest->len && is_token_char(rest->ptr[n]))
        n++;
    *token = slice_of(rest->ptr, n);
    *rest = slice_skip(*rest, n);
    skip_blanks(rest);
    return n > 0;
}

static void value_add(struct value *v, char c)
{
    if (v->len < sizeof v->text)
        v->text[v->len] = c;
    v->len++;
}

/* Behind the opening quote. "When using the quoted-string syntax variant, the value after
 * quoted-string unescaping MUST conform to the 'token' ABNF" (9.1). */
static bool take_quoted(struct slice *rest, struct value *v)
{
    while (rest->len && rest->ptr[0] != '"') {
        if (rest->ptr[0] == '\\')
            *rest = slice_skip(*rest, 1);
        if (!rest->len || !is_token_char(rest->ptr[0]))
            return false;
        value_add(v, rest->ptr[0]);
        *rest = slice_skip(*rest, 1);
    }
    return v->len && take_char(rest, '"');
}

static bool take_value(struct slice *rest, struct value *v)
{
    struct slice token;
    *v = (struct value){0};
    if (!take_char(rest, '='))
        return true;
    v->given = true;
    if (rest->len && rest->ptr[0] == '"') {
        *rest = slice_skip(*rest, 1);
        return take_quoted(rest, v);
    }
    if (!take_token(rest, &token))
        return false;
    for (size_t i = 0; i < token.len; i++)
        value_add(v, token.ptr[i]);
    return true;
}

/* 8 to 15 without leading zeros (RFC 7692, 7.1.2); 0 for anything else. */
static unsigned window_bits(const struct value *v)
{
    if (v->len == 1 && (v->text[0] == '8' || v->text[0] == '9'))
        return (unsigned)(v->text[0] - '0');
    if (v->len == 2 && v->text[0] == '1' && v->text[1] >= '0' && v->text[1] <= '5')
        return 10 + (unsigned)(v->text[1] - '0');
    return 0;
}

/* Notes a parameter; an unknown, repeated or malformed one spoils the offer (7.1). */
static void note_parameter(struct offer *o, struct slice name, const struct value *v)
{
    unsigned which = 0;
    while (which < PARAMETERS && !slice_is_nocase(name, parameters[which].name))
        which++;
    if (which == PARAMETERS || o->given[which] || (v->given && !parameters[which].may_have_value) ||
        (!v->given && parameters[which].must_have_value)) {
        o->acceptable = false;
        return;
    }
    o->given[which] = true;
    o->bits[which] = window_bits(v);
    if (v->given && o->bits[which] == 0)
        o->acceptable = false;
}

/* Whether the server can keep to the window that the offer wants of it. zlib has no raw window of 8
 * bits. */
static bool window_possible(const struct offer *o, unsigned wishes)
{
    unsigned least = wishes & WS_DEFLATE_ANY_WINDOW ? 9 : 15;
    return !o->given[SERVER_WINDOW] || o->bits[SERVER_WINDOW] >= least;
}

/* Reads one extension; false for broken syntax. */
static bool take_offer(struct slice *rest, unsigned wishes, struct offer *o)
{
    struct slice name;
    struct value value;
    if (!take_token(rest, &name))
        return false;
    *o = (struct offer){.acceptable = slice_is_nocase(name, "permessage-deflate")};
    while (take_char(rest, ';')) {
        if (!take_token(rest, &name) || !take_value(rest, &value))
            return false;
        note_parameter(o, name, &value);
    }
    o->acceptable = o->acceptable && window_possible(o, wishes);
    return rest->len == 0 || rest->ptr[0] == ',';
}

static void accept_offer(const struct offer *o, unsigned wishes,
                         struct ws_deflate_agreement *agreement, char answer[192])
{
    char window[32] = "";
    agreement->on = true;
    agreement->client_no_context = (wishes & WS_DEFLATE_CLIENT_ANEW) || o->given[CLIENT_NO_CONTEXT];
    agreement->client_window_bits = (uint8_t)(o->bits[CLIENT_WINDOW] ? o->bits[CLIENT_WINDOW] : 15);
    agreement->server_window_bits =
        (uint8_t)(o->given[SERVER_WINDOW] ? o->bits[SERVER_WINDOW] : 15);
    if (o->given[SERVER_WINDOW])
        snprintf(window, sizeof window, "; server_max_window_bits=%u", o->bits[SERVER_WINDOW]);
    snprintf(answer, 192, "permessage-deflate; server_no_context_takeover%s%s",
             agreement->client_no_context ? "; client_no_context_takeover" : "", window);
}

int ws_deflate_negotiate(struct slice offers, unsigned wishes,
                         struct ws_deflate_agreement *agreement, char answer[192])
{
    *agreement = (struct ws_deflate_agreement){0};
    answer[0] = '\0';
    if (offers.len == 0)
        return 0;
    bool any = false;
    skip_blanks(&offers);
    while (offers.len) {
        struct offer o;
        if (take_char(&offers, ','))
            continue; /* the list rule allows empty elements */
        if (!take_offer(&offers, wishes, &o)) {
            *agreement = (struct ws_deflate_agreement){0};
            answer[0] = '\0';
            return FAN_E_PROTOCOL;
        }
        any = true;
        if (o.acceptable && !agreement->on)
            accept_offer(&o, wishes, agreement, answer);
    }
    return any ? 0 : FAN_E_PROTOCOL;
}
