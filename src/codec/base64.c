/* base64, by way of its other alphabet; see base64.h. */
#include "codec/base64.h"

#include "codec/base64url.h"
#include "fanfare/error.h"

static char other(char c)
{
    return c == '+' ? '-' : c == '/' ? '_' : '=';
}

int base64_decode(struct slice text, struct buf *out)
{
    struct buf url = {0};
    size_t len = text.len;
    while (len && text.ptr[len - 1] == '=' && text.len - len < 2)
        len--;
    if (len < text.len && text.len % 4)
        return FAN_E_PARSE;
    buf_append(&url, text.ptr, len);
    if (url.failed)
        return FAN_E_NO_MEMORY;
    for (size_t i = 0; i < len; i++)
        if (url.data[i] == '+' || url.data[i] == '/' || url.data[i] == '-' || url.data[i] == '_')
            url.data[i] = other(url.data[i]);
    int error = base64url_decode(buf_slice(&url), out);
    buf_fini(&url);
    return error;
}

void base64_append(struct buf *out, struct slice bytes)
{
    size_t at = out->len;
    base64url_append(out, bytes);
    for (size_t i = at; !out->failed && i < out->len; i++)
        if (out->data[i] == '-' || out->data[i] == '_')
            out->data[i] = out->data[i] == '-' ? '+' : '/';
    for (size_t i = bytes.len % 3; i == 1 || i == 2; i++)
        buf_append_char(out, '=');
}
