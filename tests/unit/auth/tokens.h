/* Tokens for tests, signed with keys made by openssl and written here once. */
#ifndef UNIT_AUTH_TOKENS_H
#define UNIT_AUTH_TOKENS_H

#include <stdio.h>
#include <unistd.h>

#include "../test.h"
#include "auth/key.h"
#include "auth/token.h"
#include "codec/base64url.h"

#define SECRET "a-secret-of-more-than-thirty-two-bytes"

/* Never trusted anywhere but in tests. */
#define RSA_PRIVATE                                                      \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDYHHDZFqtIpW94\n" \
    "r5uo5v7LAeYpvScLyBRER5+coz0lPEQPNE+PqECPSm8cOYBoa7Ej6IxpFG6MYLyD\n" \
    "h+cKaf98tkv7H+uWHaF9OQnhrNoO/9h0CkiYMqPgUnNdgQkAV+KVuJy1er/sogt5\n" \
    "+HkvH1u7PfGlzCIF7VYgyR9lj8SVarXs8W4Sv3WVcYYF74Rpa48KpvpO5+Ajuypp\n" \
    "xgVwrn+RivR9gdDaRwmNfwYGdb+oS6lHQbPOuIqf54MOWT+DwM/kv9asXUFY23IX\n" \
    "x98/MhedezAHJ46HbxwVgRDunyEeFqq44PihqFTbf5Fg7Bi76Yd1ePNxbj0Iu9fo\n" \
    "FQvxlH9PAgMBAAECggEASowtBUXDmhCvTjNNf8sHE2I5UiaUpITFMPSAA5lvyztp\n" \
    "wtDprQV+F6+2ekb/m4Wiml9qqAjLRZNNFBY6RaZg4lVECoFtU+Aux7J4TSfCJLBu\n" \
    "q0Cs4At/6i6m6xdK0pp+Z+VB8XxBXlBboxxqOS4ZB5MLm4S6K88+CZs3QGKCjoOZ\n" \
    "rZNjdDygE7OrUcrdmJ4awD+D/wO7K0Ev1DaJgqavKdM89t4HnWRhSAooLwpjzJo8\n" \
    "/hjZvoZa2Xr6u6pV/cS/XUf0jV5/fCUI1pc0uSs4X7R9SS7uSpZs9PBA1tT/mnSr\n" \
    "5TBwtwM6I/vZRZovozWcbH9qWPmzZVB4qslgQ/zwYQKBgQDrduFx+nCnwWZh6lfQ\n" \
    "S0WNpfwIF6/Vc5REBEnKPEj+QGCnUOvVm2AU0teDPspJ1/wCoPcXTMRGbO1zRWB6\n" \
    "l5PMxKn9LmHxUwemvDMLXZ+MKY7nXqnIpQSMEXBEsfxI2dvFwNliQfMtcqGNKy19\n" \
    "9QhiUXWeiEkhzJBoS5y44rPzMQKBgQDq9XeZLGJeQuKOTF+8gNnnjExpR+EmtCJK\n" \
    "SqS3qe/IoR5ynCBpNSQY+OWhoqsCUjI2nkDUS962dZvVNdyiFseGkrmkBzc9jrdk\n" \
    "5zGMGDMfiWIksnQy6qnM7zoqp6BcI8uThHcVd+4fdTXgOo1R9aT8Nvt/TZZumgM2\n" \
    "rtNbXaH6fwKBgEfXsdmw7AaDP9XIRprLHKGnb0qYz5F0/lvyYwFNe4f35IWobwxx\n" \
    "p9MysYbd9aKqP74dlsaJKanDOn/dPx6oePQVXThemoujJcZ9zaU+H5wIYg2+GFeb\n" \
    "4dNKztJm6+7eaevgd3M/ZA8N1rTX4712seQtrpF8S7QAUl9AEsVmhjlBAoGBAJFn\n" \
    "4+IJU78eCXMi1MSlwTTI4Kju8Omw5N+xHgsDwf8ZpuwqruwtFO/XaNUFBGvlTmn6\n" \
    "uggoA+ZLFmt2b9pn2obv2q8mQAt6fQiXA1S9zTWhIfmv7rVsADVxfz/SiS08gcoD\n" \
    "WmcQ127kbLkdw0OLj9T+edoovAYqjf6TZv3ODmYlAoGAJ3gRmoveZ5Ji2psEb3g1\n" \
    "y68Wnd3eHclMPK7NokUSdkGUaoUieptPbXqEMHVacAQRxkwnKb0lXUysGfYIonoW\n" \
    "tV38+hJi+PLlCBX8rnDwq+N65zUzh8h38b4JTfHRjcStHPMhMCmRcHXl/dGrRJpk\n" \
    "jfgq0Umz3AgNIU/ABb0ok7o=\n"                                         \
    "-----END PRIVATE KEY-----\n"
#define RSA_PUBLIC                                                       \
    "-----BEGIN PUBLIC KEY-----\n"                                       \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2Bxw2RarSKVveK+bqOb+\n" \
    "ywHmKb0nC8gUREefnKM9JTxEDzRPj6hAj0pvHDmAaGuxI+iMaRRujGC8g4fnCmn/\n" \
    "fLZL+x/rlh2hfTkJ4azaDv/YdApImDKj4FJzXYEJAFfilbictXq/7KILefh5Lx9b\n" \
    "uz3xpcwiBe1WIMkfZY/ElWq17PFuEr91lXGGBe+EaWuPCqb6TufgI7sqacYFcK5/\n" \
    "kYr0fYHQ2kcJjX8GBnW/qEupR0GzzriKn+eDDlk/g8DP5L/WrF1BWNtyF8ffPzIX\n" \
    "nXswByeOh28cFYEQ7p8hHhaquOD4oahU23+RYOwYu+mHdXjzcW49CLvX6BUL8ZR/\n" \
    "TwIDAQAB\n"                                                         \
    "-----END PUBLIC KEY-----\n"
#define EC_PRIVATE                                                       \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7YTWFAksEhU7Xa70\n" \
    "u9i8FN39uGha7nvFNHpYDxvF24WhRANCAARnW6CL87CFedhDgQeNZkREuegaEfxJ\n" \
    "Ykpy2er/p9YiX5gHkiZrM9SpfHLkCi6y1OUFyIJJs/f/SmWvyaCA8jKq\n"         \
    "-----END PRIVATE KEY-----\n"
#define EC_PUBLIC                                                        \
    "-----BEGIN PUBLIC KEY-----\n"                                       \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZ1ugi/OwhXnYQ4EHjWZERLnoGhH8\n" \
    "SWJKctnq/6fWIl+YB5ImazPUqXxy5AoustTlBciCSbP3/0plr8mggPIyqg==\n"     \
    "-----END PUBLIC KEY-----\n"
#define ED_PRIVATE                                                       \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MC4CAQAwBQYDK2VwBCIEIK8xePGCGRaVfFRgCIXW+wWTvG0R8jTrMIOTV2Llqkv0\n" \
    "-----END PRIVATE KEY-----\n"
#define ED_PUBLIC                                                    \
    "-----BEGIN PUBLIC KEY-----\n"                                   \
    "MCowBQYDK2VwAyEA43816z2PmChtoS+JCQ+peTlfPGJrYFBKpLefj+FtFbA=\n" \
    "-----END PUBLIC KEY-----\n"
#define SMALL_RSA_PUBLIC                                                 \
    "-----BEGIN PUBLIC KEY-----\n"                                       \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDgnaSSJuYjg6JWIPLFsYwF2qfE\n" \
    "eVX0cDmIBB2dC7CNTJlRAV74fUfuWMliugq323qBy9Y/NmR7slYQ9dXnx5y1bnXt\n" \
    "6DSCsLHVcPuNeKih9P/9n1IkgqWcX5/swL5TDJw1FAZEqYS/Nn5bK5h7YyPxWKlr\n" \
    "PdJyNZGhZyvXkb9N7QIDAQAB\n"                                         \
    "-----END PUBLIC KEY-----\n"
#define P384_PUBLIC                                                      \
    "-----BEGIN PUBLIC KEY-----\n"                                       \
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEvkGGnDa3IIIJssloEUkj1Ly5G3OqxS8U\n" \
    "3Ep7fphfYz1b75KKbnmHGgMmOVnS5UtwBzgmnJHzftPLa16G+WZPT3qwROzuaZrB\n" \
    "TgCQelEcVNgyjcOAc1HlfpTbF0JsIj2r\n"                                 \
    "-----END PUBLIC KEY-----\n"

static inline struct key *key_of_pem(const char *pem)
{
    struct buf why = {0};
    struct key *key = key_from_pem(slice_from(pem), &why);
    if (!key)
        fail_msg("%s", buf_text(&why));
    buf_fini(&why);
    return key;
}

static inline struct key *key_of_secret(const char *secret)
{
    struct buf why = {0};
    struct key *key = key_from_secret(slice_from(secret), &why);
    assert_non_null(key);
    buf_fini(&why);
    return key;
}

/* A token of the claims; freed with buf_fini. Frees the key. */
static inline struct buf sign_with(struct key *key, const char *claims, const char *kid)
{
    struct buf out = {0};
    assert_int_equal(key_sign(key, slice_from(claims), slice_from(kid), &out), 0);
    key_free(key);
    return out;
}

/* Three parts, as they are given, with a signature that nobody made. */
static inline struct buf assemble(const char *header, const char *claims)
{
    struct buf out = {0};
    base64url_append(&out, slice_from(header));
    BUF_LITERAL(&out, ".");
    base64url_append(&out, slice_from(claims));
    BUF_LITERAL(&out, ".c2ln");
    return out;
}

/* A file with this content, to be removed by the caller. */
static inline void write_file(char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(content, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

#endif
