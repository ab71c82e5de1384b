/* The keys that count; see keyring.h. */
#include "auth/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/development_key.h"
#include "base/log.h"
#include "base/memory.h"
#include "fanfare/error.h"

#define KEYS_MAX        64
#define FILE_MAX        (1u << 20)
#define SECRET_SIZE_MIN 32

/* How a file was when it was read; all 0: it was not there. */
struct file_state {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct watched_file {
    char *path;
    struct file_state state;
};

struct keyring {
    atomic_uint refs;
    struct key *keys[KEYS_MAX];
    unsigned count;
    unsigned accepted; /* bits of enum key_algorithm */
    bool weak, development;
    struct watched_file files[2];
    unsigned file_count;
};

/* ---- Files ---- */

static struct file_state look(const char *path)
{
    struct stat s;
    if (stat(path, &s) != 0)
        return (struct file_state){0};
    return (struct file_state){s.st_dev, s.st_ino, s.st_size, s.st_mtim, s.st_ctim};
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_state(struct file_state a, struct file_state b)
{
    return a.device == b.device && a.inode == b.inode && a.size == b.size &&
           same_time(a.modified, b.modified) && same_time(a.changed, b.changed);
}

static int read_all(int fd, struct buf *out)
{
    ssize_t n = 1;
    while (n > 0 && out->len <= FILE_MAX) {
        char *to = buf_reserve(out, 4096);
        n = to ? read(fd, to, 4096) : -1;
        if (n > 0)
            buf_commit(out, (size_t)n);
    }
    return n < 0 ? FAN_E_IO : 0;
}

int key_file_read(const char *path, struct buf *out, struct buf *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int error = errno == ENOENT ? FAN_E_NOT_FOUND : FAN_E_IO;
        buf_printf(why, "cannot read %s: %s", path, strerror(errno));
        return error;
    }
    int error = read_all(fd, out);
    if (error)
        buf_printf(why, "cannot read %s: %s", path, strerror(errno));
    else if (out->len > FILE_MAX)
        buf_printf(why, "%s is larger than the 1 MiB that a file of keys may have", path);
    close(fd);
    return error || out->len > FILE_MAX ? FAN_E_IO : 0;
}

/* Remembered before it is read: what changes meanwhile is read again. */
static void watch(struct keyring *k, const char *path)
{
    k->files[k->file_count++] =
        (struct watched_file){memory_copy_string(slice_from(path)), look(path)};
}

bool keyring_became_stale(struct keyring *k)
{
    bool stale = false;
    for (unsigned i = 0; i < k->file_count; i++) {
        struct file_state now = look(k->files[i].path);
        stale |= !same_state(k->files[i].state, now);
        k->files[i].state = now;
    }
    return stale;
}

/* ---- Reading ---- */

static bool add_key(struct keyring *k, struct key *key)
{
    if (!key)
        return false;
    k->keys[k->count++] = key;
    return true;
}

/* A public key for a shared secret would let everybody sign who knows the public key. */
static bool add_secret(struct keyring *k, struct slice secret, struct buf *why)
{
    if (secret.len && memmem(secret.ptr, secret.len, "-----BEGIN", 10)) {
        buf_append_text(why, "JWT_SECRET_KEY (jwt.key) holds a PEM file's text, not a secret: name "
                             "the file of a public key with jwt.public_key");
        return false;
    }
    k->weak |= secret.len < SECRET_SIZE_MIN;
    return add_key(k, key_from_secret(secret, why));
}

static bool add_pem(struct keyring *k, const char *path, struct buf *why)
{
    struct buf text = {0}, reason = {0};
    watch(k, path);
    bool ok = key_file_read(path, &text, why) == 0;
    if (ok) {
        ok = add_key(k, key_from_pem(buf_slice(&text), &reason));
        if (!ok)
            buf_printf(why, "%s holds no usable public key in PEM: %s", path, buf_text(&reason));
    }
    buf_fini(&text);
    buf_fini(&reason);
    return ok;
}

/* Keys of kinds that do not count here stand in many files; they are left out (RFC 7517, 5). */
static bool add_set(struct keyring *k, const char *path, struct slice text, struct buf *why)
{
    struct json_error error;
    struct json_value set, keys, element;
    unsigned before = k->count;
    if (json_parse(text, &set, &error) != 0) {
        buf_printf(why, "%s: invalid JSON at byte %zu: %s", path, error.at, error.message);
        return false;
    }
    if (!json_find(set, SLICE("keys"), &keys) || keys.kind != JSON_ARRAY) {
        buf_printf(why, "%s: expected an object with a list \"keys\" (RFC 7517)", path);
        return false;
    }
    struct buf reason = {0};
    struct json_iter it = json_elements(keys);
    while (k->count < KEYS_MAX && json_next_element(&it, &element)) {
        buf_clear(&reason);
        add_key(k, key_from_jwk(element.text, &reason));
    }
    if (k->count == before)
        buf_printf(why, "%s has no usable key%s%s", path, reason.len ? "; of the last one: " : "",
                   buf_text(&reason));
    buf_fini(&reason);
    return k->count > before;
}

static bool add_jwks(struct keyring *k, const char *path, struct buf *why)
{
    struct buf text = {0};
    watch(k, path);
    bool ok = key_file_read(path, &text, why) == 0 && add_set(k, path, buf_slice(&text), why);
    buf_fini(&text);
    return ok;
}

/* Nobody depends on it: a file that cannot be used is worth a warning. */
static void add_development_key(struct keyring *k, const char *path)
{
    struct buf secret = {0}, why = {0};
    watch(k, path);
    k->development = true;
    int error = development_key_read(path, &secret, &why);
    if (!error && !add_secret(k, buf_slice(&secret), &why))
        error = FAN_E_INVALID;
    if (error && error != FAN_E_NOT_FOUND)
        log_warn("auth", "the development key is not used", LOG_SLICE("reason", buf_slice(&why)));
    buf_fini(&secret);
    buf_fini(&why);
}

static bool read_algorithms(struct keyring *k, struct slice names, struct buf *why)
{
    struct slice name;
    enum key_algorithm algorithm;
    while (slice_split(&names, ',', &name)) {
        name = slice_trim(name);
        if (!key_algorithm_find(name, &algorithm)) {
            buf_printf(why, "jwt.algorithm: expected HS256, RS256, ES256 or EdDSA, got \"%.*s\"",
                       SLICE_ARG(name));
            return false;
        }
        k->accepted |= 1u << algorithm;
    }
    return true;
}

/* Algorithms without a key would refuse every token: a mistake worth telling. */
static bool settle_algorithms(struct keyring *k, struct buf *why)
{
    unsigned there = 0;
    for (unsigned i = 0; i < k->count; i++)
        there |= 1u << key_algorithm(k->keys[i]);
    if (!k->accepted)
        k->accepted = there;
    for (unsigned i = 0; i < KEY_ALGORITHMS && k->count; i++)
        if ((k->accepted & ~there) >> i & 1) {
            buf_printf(why, "jwt.algorithm has %s, but there is no key for it: %s",
                       key_algorithm_name(i),
                       i == KEY_HS256 ? "set JWT_SECRET_KEY (jwt.key)"
                                      : "name one with jwt.public_key or jwt.jwks");
            return false;
        }
    return true;
}

struct keyring *keyring_new(const struct keyring_options *o, struct buf *why)
{
    struct keyring *k = memory_zero(sizeof *k);
    atomic_init(&k->refs, 1);
    bool keyed = *o->secret || *o->public_key_file || *o->jwks_file;
    bool ok = (!*o->secret || add_secret(k, slice_from(o->secret), why)) &&
              (!*o->public_key_file || add_pem(k, o->public_key_file, why)) &&
              (!*o->jwks_file || add_jwks(k, o->jwks_file, why));
    if (ok && keyed)
        ok = read_algorithms(k, slice_from(o->algorithms), why);
    else if (ok && *o->development_key)
        add_development_key(k, o->development_key);
    if (ok && settle_algorithms(k, why))
        return k;
    keyring_unref(k);
    return NULL;
}

struct keyring *keyring_ref(struct keyring *k)
{
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

void keyring_unref(struct keyring *k)
{
    if (!k || atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < k->count; i++)
        key_free(k->keys[i]);
    for (unsigned i = 0; i < k->file_count; i++)
        memory_free(k->files[i].path);
    memory_free(k);
}

unsigned keyring_count(const struct keyring *k)
{
    return k->count;
}

bool keyring_is_weak(const struct keyring *k)
{
    return k->weak;
}

/* ---- Checking ---- */

static enum token_problem wrong_algorithm(const struct keyring *k, const struct token *token,
                                          struct token_refusal *refusal)
{
    struct buf names = {0};
    for (unsigned i = 0; i < KEY_ALGORITHMS; i++)
        if (k->accepted >> i & 1)
            buf_printf(&names, "%s%s", names.len ? ", " : "", key_algorithm_name(i));
    token_refuse(refusal, TOKEN_BAD_SIGNATURE,
                 "the token's algorithm %.*s does not count here (accepted: %s)",
                 token->algorithm.len > 20 ? 20 : (int)token->algorithm.len, token->algorithm.data,
                 buf_text(&names));
    buf_fini(&names);
    return refusal->problem;
}

/* Keys without a kid serve tokens that name one nobody has: a secret or a PEM file. */
static bool is_candidate(const struct keyring *k, unsigned i, struct slice id, bool known)
{
    struct slice own = key_id(k->keys[i]);
    return !id.len || (known ? slice_equal(own, id) : !own.len);
}

static bool knows_id(const struct keyring *k, struct slice id)
{
    for (unsigned i = 0; i < k->count; i++)
        if (slice_equal(key_id(k->keys[i]), id))
            return true;
    return false;
}

enum token_problem keyring_verify(const struct keyring *k, const struct token *token,
                                  struct token_refusal *refusal)
{
    struct slice id = buf_slice(&token->key_id);
    enum key_algorithm algorithm;
    unsigned tried = 0;
    if (k->development && !k->count)
        return token_refuse(refusal, TOKEN_BAD_SIGNATURE,
                            "no JWT_SECRET_KEY configured, and no development key was made "
                            "(fanfare token mint --data DIR makes one)");
    if (!key_algorithm_find(buf_slice(&token->algorithm), &algorithm) ||
        !(k->accepted >> algorithm & 1))
        return wrong_algorithm(k, token, refusal);
    bool known = id.len && knows_id(k, id);
    for (unsigned i = 0; i < k->count; i++) {
        if (key_algorithm(k->keys[i]) != algorithm || !is_candidate(k, i, id, known))
            continue;
        tried++;
        if (key_verify(k->keys[i], token->text))
            return TOKEN_GOOD;
    }
    if (k->development)
        return token_refuse(refusal, TOKEN_BAD_SIGNATURE,
                            "no JWT_SECRET_KEY configured, and the development key did not sign "
                            "this token");
    return token_refuse(refusal, TOKEN_BAD_SIGNATURE,
                        tried ? "the signature is not that of the configured key"
                              : "no key has the token's kid");
}
