/* The signature of a webhook's body: HMAC-SHA256, as `sha256=` and 64 hexadecimal digits. The body
 * comes in pieces; the comparison takes as long for every wrong signature. Any thread. */
#ifndef API_WEBHOOK_SIGNATURE_H
#define API_WEBHOOK_SIGNATURE_H

#include <stdbool.h>

#include "base/slice.h"

struct webhook_signature;

/* NULL: the text has not the form of a signature, or there is no memory. The secret is copied. */
struct webhook_signature *webhook_signature_new(struct slice text, const char *secret);
void webhook_signature_add(struct webhook_signature *s, struct slice piece);

/* Whether the body was signed with the secret. Once. */
bool webhook_signature_holds(struct webhook_signature *s);
void webhook_signature_free(struct webhook_signature *s);

#endif
