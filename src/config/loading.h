/* What src/config keeps about a configuration besides its values; private to this layer. */
#ifndef CONFIG_LOADING_H
#define CONFIG_LOADING_H

#include "config/options.h"

/* Beyond this many the rest of a file's problems is not worth reading. */
#define CONFIG_MAX_PROBLEMS 20

enum origin_kind {
    ORIGIN_DEFAULT,
    ORIGIN_FILE,
    ORIGIN_ENVIRONMENT,
    ORIGIN_FLAG,
    ORIGIN_PAIR, /* an embedding program */
};

struct origin {
    enum origin_kind kind;
    unsigned line;    /* ORIGIN_FILE */
    const char *name; /* ORIGIN_ENVIRONMENT: the other system's name; NULL: our own */
};

struct config_loading {
    int arg_count;
    char **args;
    char *file;             /* "" when none was read */
    struct origin *origins; /* one for each option */
};

/* Problems found so far, one line each. */
struct problems {
    struct buf *out;
    unsigned count;
};

static inline struct origin *origin_of(const struct config *c, const struct option *o)
{
    return &c->loading->origins[o - options];
}

/* Appends "fanfare.yaml:3", "FANFARE_WORKERS", "--workers", "workers" or "default". */
void origin_append(struct buf *out, const struct config *c, const struct option *o);

/* A configuration with all defaults. Never NULL. */
struct config *config_defaults(void);

/* Checks what no single option can tell. */
void config_check_together(struct config *c, struct problems *problems);

/* Puts in what follows from the machine and from other options. */
void config_resolve(struct config *c);

/*
 * Sets what the YAML text says; `path` is how problems name the file. Values of lines without
 * problems are set in any case. Does no I/O.
 */
void yaml_read(struct config *c, const char *path, struct slice text, struct problems *problems);

#endif
