/*
 * TLS (OpenSSL 3) below a connection. A session reads from the socket itself; what it has to send
 * (its part of the handshake, ciphertext, alerts) it appends to a buffer, which the caller sends
 * with everything else of the turn. One thread per session.
 */
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

/* A server session on fd that writes to `output`, which outlives it; NULL: no memory. */
struct tls_session *tls_new(struct tls_context *t, int fd, struct buf *output);
void tls_free(struct tls_session *s); /* NULL is allowed */

/* As recv, with negative errno values; EPROTO for TLS errors. The handshake happens in the first
 * calls. Any call may add to the output. */
ssize_t tls_read(struct tls_session *s, void *data, size_t n);

/* Encrypts all of it into the output. Returns 0 or a negative errno value: EAGAIN before the end of
 * the handshake, EPROTO, ENOMEM. */
int tls_write(struct tls_session *s, const void *data, size_t n);

/* Whether decrypted bytes wait that the socket will not report. */
int tls_pending(const struct tls_session *s);

/* Says close_notify; NULL is allowed. */
void tls_shutdown(struct tls_session *s);

#endif
