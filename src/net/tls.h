/* TLS (OpenSSL 3) below a connection: sessions on the socket itself. One thread per session. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

struct tls_context;
struct tls_session;

/* Loads certificate chain and key (PEM). NULL with the reason in why. TLS 1.2 and newer. */
struct tls_context *tls_context_new(const char *cert_path, const char *key_path, struct buf *why);
void tls_context_free(struct tls_context *t);

/* A server session on fd; NULL: no memory. */
struct tls_session *tls_new(struct tls_context *t, int fd);
void tls_free(struct tls_session *s); /* NULL is allowed */

/* As recv and send, with negative errno values; EPROTO for TLS errors. The handshake happens in
 * the first calls. */
ssize_t tls_read(struct tls_session *s, void *data, size_t n);
ssize_t tls_write(struct tls_session *s, const void *data, size_t n);

/* Whether decrypted bytes wait that the socket will not report. */
int tls_pending(const struct tls_session *s);

/* Sends close_notify; NULL is allowed. */
void tls_shutdown(struct tls_session *s);

#endif
