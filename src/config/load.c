/* Where values come from, in order: defaults, file, environment, flags; see config.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/memory.h"
#include "codec/http.h"
#include "config/loading.h"
#include "config/suggest.h"
#include "config/value.h"
#include "fanfare/error.h"

#define DEFAULT_FILE  "fanfare.yaml"
#define MAX_FILE_SIZE (1024 * 1024)

/* ---- Making and freeing ---- */

struct config *config_defaults(void)
{
    struct config *c = memory_zero(sizeof *c);
    c->loading = memory_zero(sizeof *c->loading);
    c->loading->origins = memory_zero(option_count * sizeof *c->loading->origins);
    c->loading->file = memory_copy_string(SLICE(""));
    struct buf why = {0};
    for (size_t i = 0; i < option_count; i++) {
        bool bare = !options[i].initial;
        if (bare && options[i].type == OPTION_LIST)
            continue;
        value_set_text(c, &options[i], slice_from(bare ? "" : options[i].initial), &why);
    }
    buf_fini(&why);
    return c;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < option_count; i++)
        value_clear(c, &options[i]);
    for (int i = 0; i < c->loading->arg_count; i++)
        memory_free(c->loading->args[i]);
    memory_free(c->loading->args);
    memory_free(c->loading->file);
    memory_free(c->loading->origins);
    memory_free(c->loading);
    memory_free(c);
}

const char *config_file(const struct config *c)
{
    return c->loading->file;
}

void origin_append(struct buf *out, const struct config *c, const struct option *o)
{
    const struct origin *origin = origin_of(c, o);
    switch (origin->kind) {
    case ORIGIN_DEFAULT:
        BUF_LITERAL(out, "default");
        break;
    case ORIGIN_FILE:
        buf_printf(out, "%s:%u", c->loading->file, origin->line);
        break;
    case ORIGIN_ENVIRONMENT:
        if (origin->name)
            buf_append_text(out, origin->name);
        else
            option_append_environment(out, o);
        break;
    case ORIGIN_FLAG:
        option_append_flag(out, o);
        break;
    case ORIGIN_PAIR:
        buf_append_text(out, o->name);
        break;
    }
}

/* ---- Flags ---- */

struct flags {
    char *const *args;
    int count, at;
    const char *file; /* --config */
    struct problems *problems;
};

/* As the option says. */
#define MOST_WORKERS 64

static void unknown_flag(struct flags *f, struct slice name)
{
    struct suggestion s = {.wanted = name};
    f->problems->count++;
    buf_printf(f->problems->out, "unknown option --%.*s", SLICE_ARG(name));
    suggestion_offer(&s, "config");
    for (size_t i = 0; i < option_count; i++)
        if (!options[i].secret)
            suggestion_offer(&s, options[i].name);
    if (s.best && strcmp(s.best, "config") == 0)
        BUF_LITERAL(f->problems->out, " (did you mean --config?)");
    else if (s.best) {
        BUF_LITERAL(f->problems->out, " (did you mean ");
        option_append_flag(f->problems->out, option_find(slice_from(s.best)));
        BUF_LITERAL(f->problems->out, "?)");
    }
    BUF_LITERAL(f->problems->out, "\n");
}

/* The flag's value: what follows '=', or the next argument unless it looks like a flag. False, with
 * a problem: none. */
static bool flag_value(struct flags *f, struct slice name, const char *equals, struct slice *value)
{
    if (equals) {
        *value = slice_from(equals + 1);
        return true;
    }
    const char *next = f->at + 1 < f->count ? f->args[f->at + 1] : NULL;
    if (next && strncmp(next, "--", 2) != 0) {
        *value = slice_from(f->args[++f->at]);
        return true;
    }
    f->problems->count++;
    buf_printf(f->problems->out, "--%.*s: needs a value", SLICE_ARG(name));
    if (next)
        buf_printf(f->problems->out, "; if %s is it, write --%.*s=%s", next, SLICE_ARG(name), next);
    BUF_LITERAL(f->problems->out, "\n");
    return false;
}

static void refuse_secret(struct flags *f, const struct option *o)
{
    f->problems->count++;
    option_append_flag(f->problems->out, o);
    BUF_LITERAL(f->problems->out, ": every user of this machine can read a program's arguments; "
                                  "set ");
    if (o->environment)
        buf_append_text(f->problems->out, o->environment);
    else
        option_append_environment(f->problems->out, o);
    BUF_LITERAL(f->problems->out, " in the environment, or use a file\n");
}

/* The first use of a list's flag replaces what the file and the environment say. */
static void set_flag(struct flags *f, struct config *c, const struct option *o, struct slice value)
{
    struct origin *origin = origin_of(c, o);
    struct buf why = {0};
    int error = 0;
    if (o->type == OPTION_LIST) {
        if (origin->kind != ORIGIN_FLAG)
            error = value_set(c, o, NULL, 0, &why);
        if (!error)
            error = value_add(c, o, value, &why);
    } else {
        error = value_set(c, o, &value, 1, &why);
    }
    if (error) {
        f->problems->count++;
        option_append_flag(f->problems->out, o);
        buf_printf(f->problems->out, ": %s\n", buf_text(&why));
    }
    buf_fini(&why);
    *origin = (struct origin){.kind = ORIGIN_FLAG};
}

/* A switch is turned on by its name, off by --no-NAME, and takes a value only after '='. */
static void read_flag(struct flags *f, struct config *c, struct slice name, const char *equals)
{
    const struct option *o = option_find(name);
    struct slice value = SLICE("true");
    if (!o && !equals && slice_starts(name, "no-")) {
        o = option_find(slice_skip(name, 3));
        value = SLICE("false");
        if (o && o->type != OPTION_BOOL)
            o = NULL;
    }
    if (slice_is(name, "config")) {
        if (flag_value(f, name, equals, &value))
            f->file = value.ptr;
    } else if (!o) {
        unknown_flag(f, name);
    } else if (o->secret) {
        refuse_secret(f, o);
    } else if ((o->type == OPTION_BOOL && !equals) || flag_value(f, name, equals, &value)) {
        set_flag(f, c, o, value);
    }
}

static void read_flags(struct flags *f, struct config *c)
{
    for (f->at = 0; f->at < f->count; f->at++) {
        const char *arg = f->args[f->at];
        if (strncmp(arg, "--", 2) != 0 || !arg[2]) {
            f->problems->count++;
            buf_printf(f->problems->out, "unexpected argument \"%s\": only options are expected\n",
                       arg);
            continue;
        }
        const char *name = arg + 2, *equals = strchr(name, '=');
        size_t len = equals ? (size_t)(equals - name) : strlen(name);
        read_flag(f, c, slice_of(name, len), equals);
    }
}

/* ---- Environment ---- */

static void set_from_environment(struct config *c, const struct option *o, const char *variable,
                                 bool own, struct problems *problems)
{
    const char *value = getenv(variable);
    if (!value || !*value)
        return; /* empty means "not set", as for other programs */
    struct buf why = {0};
    if (value_set_text(c, o, slice_from(value), &why)) {
        problems->count++;
        buf_printf(problems->out, "%s: %s\n", variable, buf_text(&why));
    }
    buf_fini(&why);
    *origin_of(c, o) =
        (struct origin){.kind = ORIGIN_ENVIRONMENT, .name = own ? NULL : o->environment};
}

static void read_environment(struct config *c, struct problems *problems)
{
    struct buf name = {0};
    for (size_t i = 0; i < option_count; i++) {
        if (options[i].environment)
            set_from_environment(c, &options[i], options[i].environment, false, problems);
        buf_clear(&name);
        option_append_environment(&name, &options[i]);
        set_from_environment(c, &options[i], buf_text(&name), true, problems);
    }
    buf_fini(&name);
}

/* ---- The file ---- */

static int read_descriptor(int fd, struct buf *text)
{
    for (;;) {
        char *room = buf_reserve(text, 16384);
        if (!room)
            return ENOMEM;
        ssize_t n = read(fd, room, 16384);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n == 0)
            return 0;
        if (n > 0)
            buf_commit(text, (size_t)n);
        if (text->len > MAX_FILE_SIZE)
            return EFBIG;
    }
}

static int read_file(struct config *c, const char *path, struct problems *problems)
{
    struct buf text = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int failure = fd < 0 ? errno : read_descriptor(fd, &text);
    if (fd >= 0)
        close(fd);
    memory_free(c->loading->file);
    c->loading->file = memory_copy_string(slice_from(path));
    if (failure) {
        problems->count++;
        buf_printf(problems->out, "%s: cannot be read: %s\n", path, strerror(failure));
        buf_fini(&text);
        return failure == ENOENT ? FAN_E_NOT_FOUND : FAN_E_IO;
    }
    yaml_read(c, path, buf_slice(&text), problems);
    buf_fini(&text);
    return problems->count ? FAN_E_PARSE : 0;
}

/* The file to read; NULL: none. */
static const char *choose_file(const struct flags *f)
{
    const char *named = f->file ? f->file : getenv("FANFARE_CONFIG");
    if (named && *named)
        return named;
    return access(DEFAULT_FILE, F_OK) == 0 ? DEFAULT_FILE : NULL;
}

/* ---- All together ---- */

static void need_both(struct config *c, const char *a, const char *b, struct problems *problems)
{
    const struct option *set = option_find(slice_from(a));
    problems->count++;
    origin_append(problems->out, c, set);
    buf_printf(problems->out, ": %s needs %s as well\n", a, b);
}

void config_check_together(struct config *c, struct problems *problems)
{
    const struct option *burst = option_find(SLICE("limits.burst"));
    const struct option *listen = option_find(SLICE("listen"));
    if (c->tls_cert[0] && !c->tls_key[0])
        need_both(c, "tls.cert", "tls.key", problems);
    if (c->tls_key[0] && !c->tls_cert[0])
        need_both(c, "tls.key", "tls.cert", problems);
    if (c->limits.burst < c->limits.messages && origin_of(c, burst)->kind != ORIGIN_DEFAULT) {
        problems->count++;
        origin_append(problems->out, c, burst);
        BUF_LITERAL(problems->out, ": limits.burst must be at least limits.messages\n");
    }
    if (c->listen.count == 0) {
        problems->count++;
        origin_append(problems->out, c, listen);
        BUF_LITERAL(problems->out, ": listen: expected at least one address\n");
    }
}

void config_resolve(struct config *c)
{
    const struct option *engine = option_find(SLICE("engine"));
    c->data_given = origin_of(c, option_find(SLICE("data")))->kind != ORIGIN_DEFAULT;
    if (c->workers == 0)
        c->workers =
            uv_available_parallelism() < MOST_WORKERS ? uv_available_parallelism() : MOST_WORKERS;
    if (c->limits.burst < c->limits.messages)
        c->limits.burst = c->limits.messages;
    if (c->redis_url[0] && origin_of(c, engine)->kind == ORIGIN_DEFAULT) {
        c->engine = CONFIG_ENGINE_REDIS;
        *origin_of(c, engine) = *origin_of(c, option_find(SLICE("redis_url")));
    }
}

/* Flags are read twice: first alone, since they name the file and wrong usage goes before all
 * else; then above the file and the environment. */
static int load(struct config *c, struct problems *problems)
{
    struct config *trial = config_defaults();
    struct flags f = {
        .args = c->loading->args, .count = c->loading->arg_count, .problems = problems};
    read_flags(&f, trial);
    config_free(trial);
    if (problems->count)
        return FAN_E_INVALID;
    const char *path = choose_file(&f);
    int error = path ? read_file(c, path, problems) : 0;
    if (error == FAN_E_NOT_FOUND || error == FAN_E_IO)
        return error;
    read_environment(c, problems);
    read_flags(&f, c);
    if (problems->count == 0)
        config_check_together(c, problems);
    config_resolve(c);
    return problems->count ? FAN_E_PARSE : 0;
}

int config_load(struct config **config, int arg_count, char *const *args, struct buf *out)
{
    struct problems problems = {.out = out};
    struct config *c = config_defaults();
    c->loading->args = memory_zero(((size_t)arg_count + 1) * sizeof *c->loading->args);
    for (int i = 0; i < arg_count; i++)
        c->loading->args[c->loading->arg_count++] = memory_copy_string(slice_from(args[i]));
    int error = load(c, &problems);
    if (error) {
        config_free(c);
        c = NULL;
    }
    *config = c;
    return error;
}

int config_reload(const struct config *old, struct config **fresh, struct buf *kept,
                  struct buf *problems)
{
    int error = config_load(fresh, old->loading->arg_count, old->loading->args, problems);
    if (error)
        return error;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];
        if (o->reloadable || value_equal(old, *fresh, o))
            continue;
        buf_printf(kept, "%s cannot be changed while the server runs\n", o->name);
        value_copy(*fresh, old, o);
        *origin_of(*fresh, o) = *origin_of(old, o);
    }
    return 0;
}

int config_supported(const struct config *c, struct buf *why)
{
#ifndef FANFARE_HAVE_REDIS
    if (c->redis_url[0] || c->engine == CONFIG_ENGINE_REDIS) {
        origin_append(why, c, option_find(c->redis_url[0] ? SLICE("redis_url") : SLICE("engine")));
        BUF_LITERAL(why, ": this build has no Redis engine; leave it out to use engine sqlite");
        return FAN_E_UNSUPPORTED;
    }
#endif
    return 0;
}

void config_watch_split(const char *item, struct slice *path, struct slice *session)
{
    const char *equals = strrchr(item, '=');
    *path = equals ? slice_of(item, (size_t)(equals - item)) : slice_from(item);
    *session = slice_from(equals ? equals + 1 : "");
}

void config_session_of_directory(const char *path, struct buf *session)
{
    char *absolute = realpath(path, NULL);
    const char *name = strrchr(absolute ? absolute : path, '/');
    name = name ? name + 1 : path;
    size_t len = strnlen(name, 128), at = session->len;
    for (size_t i = 0; i < len; i++) {
        bool allowed = http_identifier_valid(slice_of(name + i, 1));
        buf_append_char(session, allowed ? name[i] : '-');
    }
    if (session->len == at)
        BUF_LITERAL(session, "root");
    free(absolute);
}

const char *config_kind_name(enum config_kind kind)
{
    static const char *const names[CONFIG_KINDS] = {
        [CONFIG_SESSION] = "session", [CONFIG_PROJECT] = "project", [CONFIG_AGENT] = "agent",
        [CONFIG_GLOBAL] = "global",   [CONFIG_USER] = "user",       [CONFIG_CHANNEL] = "channel",
    };
    return names[kind];
}
