/* The Content-Security-Policy of an embedded page; see page_policy.h. */
#include "api/page_policy.h"

#include <openssl/evp.h>

static struct slice find(struct slice text, const char *wanted)
{
    const char *at = text.len ? memmem(text.ptr, text.len, wanted, strlen(wanted)) : NULL;
    return at ? slice_skip(text, (size_t)(at - text.ptr)) : slice_of(NULL, 0);
}

static void append_hash(struct slice content, struct buf *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE], text[EVP_MAX_MD_SIZE * 2];
    unsigned size = 0;
    if (!EVP_Digest(content.ptr, content.len, digest, &size, EVP_sha256(), NULL))
        return; /* the element stays forbidden */
    int len = EVP_EncodeBlock(text, digest, (int)size);
    buf_printf(out, " 'sha256-%.*s'", len, text);
}

/* A source for each element that has its content inline. */
static void append_hashes(struct slice html, const char *open, const char *close, struct buf *out)
{
    struct slice rest = find(html, open);
    while (rest.ptr) {
        struct slice body = find(rest, ">"), end = find(rest, close);
        if (!body.ptr || !end.ptr || end.ptr <= body.ptr)
            return;
        body = slice_of(body.ptr + 1, (size_t)(end.ptr - body.ptr - 1));
        if (body.len)
            append_hash(body, out);
        rest = find(end, open);
    }
}

void page_policy_append(struct slice html, const char *connect, struct buf *out)
{
    BUF_LITERAL(out, "default-src 'none'; script-src 'self'");
    append_hashes(html, "<script", "</script>", out);
    BUF_LITERAL(out, "; style-src 'self'");
    append_hashes(html, "<style", "</style>", out);
    BUF_LITERAL(out, "; img-src 'self' data:; connect-src 'self'");
    if (connect)
        buf_printf(out, " %s", connect);
    BUF_LITERAL(out, "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
}
