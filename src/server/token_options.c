/* From the configuration to what tokens are checked by; see token_options.h. */
#include "server/token_options.h"

#include "auth/development_key.h"

static struct keyring_options key_options(const struct config *c, const char *development_key)
{
    return (struct keyring_options){
        .secret = c->jwt.key,
        .public_key_file = c->jwt.public_key,
        .jwks_file = c->jwt.jwks,
        .development_key = development_key,
        .algorithms = c->jwt.algorithm,
    };
}

bool token_is_needed(const struct config *c)
{
    const struct keyring_options options = key_options(c, "");
    return authenticator_is_keyed(&options);
}

struct authenticator_options token_options(const struct config *c, struct buf *path)
{
    development_key_path(path, c->data);
    return (struct authenticator_options){
        .keys = key_options(c, buf_text(path)),
        .policy =
            {
                .strict = c->access.initial == CONFIG_ACCESS_STRICT,
                .anonymous = (const char *const *)c->access.anonymous.items,
                .anonymous_count = c->access.anonymous.count,
                .publish = (const char *const *)c->access.publish.items,
                .publish_count = c->access.publish.count,
                .execute = c->access.execute,
                .ai = c->access.ai,
                .issuer = c->jwt.issuer,
                .audience = c->jwt.audience,
            },
    };
}
