/* Keys and rules for tokens at the command line; see token_judge.h. */
#include "cli/token_judge.h"

#include <string.h>

#include "auth/development_key.h"
#include "auth/keyring.h"
#include "cli/server_config.h"

static bool is_pem(struct slice text)
{
    return memmem(text.ptr ? text.ptr : "", text.len, "-----BEGIN", 10) != NULL;
}

/* A PEM file or a secret; the end of its line is none of it. */
static int read_key_file(struct buf *out, const struct arguments *a)
{
    const char *path = arguments_get(a, "key-file");
    struct buf why = {0};
    int code = key_file_read(path, out, &why) == 0 ? 0 : FAILED;
    if (code)
        command_error(a->command, "--key-file: %s", buf_text(&why));
    buf_fini(&why);
    while (!code && out->len && strchr("\r\n", out->data[out->len - 1]))
        out->len--;
    if (!code && !out->len)
        code = command_error(a->command, "--key-file: %s is empty", path);
    return code;
}

int token_judge_init(struct token_judge *j, const struct arguments *a)
{
    *j = (struct token_judge){0};
    int code = server_config_load(a, NULL, &j->config);
    if (code)
        return code;
    j->options = token_options(j->config, &j->path);
    if (!arguments_has(a, "key-file"))
        return 0;
    code = read_key_file(&j->secret, a);
    bool pem = is_pem(buf_slice(&j->secret));
    j->options.keys = (struct keyring_options){
        .secret = pem ? "" : buf_text(&j->secret),
        .public_key_file = pem ? arguments_get(a, "key-file") : "",
        .jwks_file = "",
        .development_key = "",
        .algorithms = "",
    };
    return code;
}

void token_judge_fini(struct token_judge *j)
{
    config_free(j->config);
    buf_fini(&j->path);
    buf_fini(&j->secret);
}

/* Fetches the signing key's text; false with the reason. */
static bool find_secret(struct token_judge *j, struct buf *why)
{
    const struct keyring_options *keys = &j->options.keys;
    if (j->secret.len)
        return true;
    if (*keys->secret) {
        buf_append_text(&j->secret, keys->secret);
        return true;
    }
    if (authenticator_is_keyed(keys)) {
        buf_append_text(why, "tokens are checked with a public key here: name the private one with "
                             "--key-file");
        return false;
    }
    return development_key_need(j->config->data, &j->secret, why) == 0;
}

struct key *token_judge_signing_key(struct token_judge *j, const struct arguments *a,
                                    bool *development)
{
    struct buf why = {0};
    struct key *key = NULL;
    *development = !j->secret.len && !authenticator_is_keyed(&j->options.keys);
    if (find_secret(j, &why))
        key = is_pem(buf_slice(&j->secret)) ? key_from_pem(buf_slice(&j->secret), &why)
                                            : key_from_secret(buf_slice(&j->secret), &why);
    if (key && !key_can_sign(key)) {
        buf_append_text(&why, "a public key checks tokens; a private one signs them");
        key_free(key);
        key = NULL;
    }
    if (!key)
        command_error(a->command, "no key to sign with: %s", buf_text(&why));
    buf_fini(&why);
    return key;
}
