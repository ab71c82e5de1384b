/*
 * TLS; see tls.h. Sessions release their buffers while idle (SSL_MODE_RELEASE_BUFFERS), and
 * session tickets are stateless, so that a connection costs little when nothing happens on it.
 */
#include "net/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

/* What OpenSSL says first is nearest to the cause: the system's word about a file, or what is wrong
 * with its content. */
static void append_reason(struct buf *why, const char *failed, bool has_pass_phrase)
{
    unsigned long error = ERR_get_error();
    const char *reason =
        ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error)) : ERR_reason_error_string(error);
    bool no_pem = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (has_pass_phrase)
        reason = "it is protected by a pass phrase; give a key without one";
    else if (no_pem || ERR_GET_LIB(error) == ERR_LIB_OSSL_DECODER)
        reason = "there is nothing of the kind in PEM form in it";
    buf_printf(why, "%s: %s", failed, reason ? reason : "OpenSSL gives no reason");
    ERR_clear_error();
}

/* A key with a pass phrase is refused: asking for it would stop a server that has no terminal. */
static int no_pass_phrase(char *phrase, int size, int writing, void *arg)
{
    bool *asked = arg;
    (void)phrase;
    (void)size;
    (void)writing;
    *asked = true;
    return -1;
}

struct tls_context *tls_context_new(const char *cert_path, const char *key_path, struct buf *why)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    const char *failed = "cannot set up TLS";
    bool has_pass_phrase = false;
    if (!ctx)
        goto fail;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx, no_pass_phrase);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &has_pass_phrase);
    failed = cert_path;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_path) != 1)
        goto fail;
    failed = key_path;
    if (SSL_CTX_use_PrivateKey_file(ctx, key_path, SSL_FILETYPE_PEM) != 1)
        goto fail;
    failed = "certificate and key do not belong together";
    if (SSL_CTX_check_private_key(ctx) != 1)
        goto fail;
    return (struct tls_context *)ctx;
fail:
    append_reason(why, failed, has_pass_phrase);
    SSL_CTX_free(ctx);
    return NULL;
}

void tls_context_free(struct tls_context *t)
{
    SSL_CTX_free((SSL_CTX *)t);
}

/* ---- Output ---- */

static int append_output(BIO *bio, const char *data, int n)
{
    struct buf *output = BIO_get_data(bio);
    buf_append(output, data, (size_t)n);
    return output->failed ? -1 : n;
}

static long control_output(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *output_method;

static void make_output_method(void)
{
    output_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "buffer of a turn");
    if (!output_method)
        return;
    BIO_meth_set_write(output_method, append_output);
    BIO_meth_set_ctrl(output_method, control_output);
}

static BIO *output_to(struct buf *output)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_output_method);
    BIO *bio = output_method ? BIO_new(output_method) : NULL;
    if (bio) {
        BIO_set_data(bio, output);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* ---- Sessions ---- */

struct tls_session *tls_new(struct tls_context *t, int fd, struct buf *output)
{
    SSL *ssl = SSL_new((SSL_CTX *)t);
    BIO *in = BIO_new_socket(fd, BIO_NOCLOSE), *out = output_to(output);
    if (!ssl || !in || !out) {
        SSL_free(ssl);
        BIO_free(in);
        BIO_free(out);
        return NULL;
    }
    SSL_set_bio(ssl, in, out);
    SSL_set_accept_state(ssl);
    return (struct tls_session *)ssl;
}

void tls_free(struct tls_session *s)
{
    SSL_free((SSL *)s);
}

static ssize_t result(SSL *ssl, int n)
{
    if (n > 0)
        return n;
    int saved = errno;
    switch (SSL_get_error(ssl, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        return saved ? -saved : 0;
    default:
        ERR_clear_error();
        return -EPROTO;
    }
}

ssize_t tls_read(struct tls_session *s, void *data, size_t n)
{
    errno = 0;
    return result((SSL *)s, SSL_read((SSL *)s, data, n > INT_MAX ? INT_MAX : (int)n));
}

int tls_write(struct tls_session *s, const void *data, size_t n)
{
    const char *from = data;
    if (!SSL_is_init_finished((SSL *)s))
        return -EAGAIN;
    while (n > 0) {
        errno = ENOMEM; /* the only thing that fails in the output */
        ssize_t done = result((SSL *)s, SSL_write((SSL *)s, from, n > INT_MAX ? INT_MAX : (int)n));
        if (done <= 0)
            return done == 0 ? -EPROTO : (int)done;
        from += done;
        n -= (size_t)done;
    }
    return 0;
}

int tls_pending(const struct tls_session *s)
{
    return SSL_pending((const SSL *)s) > 0;
}

void tls_shutdown(struct tls_session *s)
{
    if (s && SSL_is_init_finished((SSL *)s))
        SSL_shutdown((SSL *)s);
    ERR_clear_error();
}
