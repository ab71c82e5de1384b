/* HTTP/1.1 as a client speaks it; see response.h. */
#include "client/response.h"

#include <ctype.h>
#include <llhttp.h> /* its names and those of codec/http.h cannot stand in one file */
#include <stdlib.h>

#include "base/memory.h"
#include "client/answer.h"
#include "fanfare/error.h"

#define MAX_BODY (64 * 1024)

struct response_parser {
    llhttp_t llhttp;
    llhttp_settings_t settings;
    char field[32]; /* of the header that is being read, lower case */
    char value[64];
    size_t field_len, value_len; /* may be more than fits */
    int stopped;
};

void request_append_head(struct buf *out, const struct url *url, const char *method,
                         struct slice target, const char *token)
{
    buf_printf(out, "%s %s", method, url->base);
    buf_append_slice(out, target);
    buf_printf(out, " HTTP/1.1\r\nHost: %s\r\nUser-Agent: fanfare\r\n", url->authority);
    if (token && *token)
        buf_printf(out, "Authorization: Bearer %s\r\n", token);
}

/* ---- Header fields: kept as far as they fit, only a few are looked at ---- */

static void append_lower(char *to, size_t size, size_t *len, const char *from, size_t n)
{
    for (size_t i = 0; i < n; i++, ++*len)
        if (*len + 1 < size)
            to[*len] = (char)tolower((unsigned char)from[i]);
}

static int on_field(llhttp_t *llhttp, const char *at, size_t n)
{
    struct response *r = llhttp->data;
    append_lower(r->parser->field, sizeof r->parser->field, &r->parser->field_len, at, n);
    return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t n)
{
    struct response *r = llhttp->data;
    for (size_t i = 0; i < n; i++, r->parser->value_len++)
        if (r->parser->value_len + 1 < sizeof r->parser->value)
            r->parser->value[r->parser->value_len] = at[i];
    return 0;
}

static void copy_value(char *to, size_t size, struct slice value)
{
    size_t n = value.len < size ? value.len : 0;
    memcpy(to, value.ptr, n);
    to[n] = '\0';
}

static int on_value_complete(llhttp_t *llhttp)
{
    struct response *r = llhttp->data;
    struct slice name =
        slice_of(r->parser->field,
                 r->parser->field_len < sizeof r->parser->field ? r->parser->field_len : 0);
    struct slice value =
        slice_of(r->parser->value,
                 r->parser->value_len < sizeof r->parser->value ? r->parser->value_len : 0);
    if (slice_is(name, "sec-websocket-accept")) {
        copy_value(r->accept, sizeof r->accept, slice_trim(value));
    } else if (slice_is(name, "content-type")) {
        copy_value(r->content_type, sizeof r->content_type, value);
        for (char *c = r->content_type; *c; c++)
            *c = (char)tolower((unsigned char)*c);
    } else if (slice_is(name, "retry-after")) {
        r->parser->value[value.len] = '\0';
        unsigned long seconds = strtoul(r->parser->value, NULL, 10);
        r->retry_after = seconds < 3600 ? (uint32_t)seconds : 3600;
    }
    r->parser->field_len = r->parser->value_len = 0;
    return 0;
}

/* ---- Parts of the message ---- */

static int on_head(llhttp_t *llhttp)
{
    struct response *r = llhttp->data;
    if (llhttp->status_code >= 100 && llhttp->status_code < 200 && llhttp->status_code != 101)
        return 0; /* an interim answer: the real one follows (RFC 9110, 15.2) */
    r->status = llhttp->status_code;
    r->head_done = true;
    return 0;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t n)
{
    struct response *r = llhttp->data;
    if (!r->on_body || r->status != 200) {
        size_t room = MAX_BODY - r->body.len;
        buf_append(&r->body, at, n < room ? n : room);
        return 0;
    }
    r->parser->stopped = r->on_body(r->arg, slice_of(at, n));
    return r->parser->stopped ? HPE_USER : 0;
}

static int on_complete(llhttp_t *llhttp)
{
    struct response *r = llhttp->data;
    if (r->head_done)
        r->done = true;
    return 0;
}

void response_init(struct response *r)
{
    *r = (struct response){0};
    r->parser = memory_zero(sizeof *r->parser);
    llhttp_settings_t *settings = &r->parser->settings;
    llhttp_settings_init(settings);
    settings->on_header_field = on_field;
    settings->on_header_value = on_value;
    settings->on_header_value_complete = on_value_complete;
    settings->on_headers_complete = on_head;
    settings->on_body = on_body;
    settings->on_message_complete = on_complete;
    llhttp_init(&r->parser->llhttp, HTTP_RESPONSE, settings);
    r->parser->llhttp.data = r;
}

void response_fini(struct response *r)
{
    buf_fini(&r->body);
    memory_free(r->parser);
    r->parser = NULL;
}

int response_feed(struct response *r, const char *data, size_t len, size_t *used)
{
    *used = len;
    if (r->done)
        return 0;
    llhttp_errno_t result = llhttp_execute(&r->parser->llhttp, data, len);
    if (r->parser->stopped)
        return r->parser->stopped;
    if (result == HPE_PAUSED_UPGRADE) {
        *used = (size_t)(llhttp_get_error_pos(&r->parser->llhttp) - data);
        r->upgraded = r->done = true;
        return 0;
    }
    return result == HPE_OK || r->done ? 0 : FAN_E_PROTOCOL;
}

int response_finish(struct response *r)
{
    if (!r->done && llhttp_finish(&r->parser->llhttp) != HPE_OK)
        return FAN_E_TRUNCATED;
    return r->head_done ? 0 : FAN_E_TRUNCATED;
}

void response_append_error(struct buf *out, const struct response *r)
{
    struct answer_error error;
    if (answer_error_parse(buf_slice(&r->body), &error)) {
        buf_append_slice(out, buf_slice(&error.message));
        answer_error_fini(&error);
        return;
    }
    buf_printf(out, "HTTP status %d", r->status); /* llhttp_status_name aborts for unknown ones */
}
