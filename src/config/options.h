/*
 * The table of options: the only place where one is declared. Parsing, --help, the reference in
 * docs/configuration.md, `config --print` and reloading all come from it.
 *
 * Names follow from the key: `limits.message_size` is the flag --limits-message-size and the
 * environment variable FANFARE_LIMITS_MESSAGE_SIZE.
 */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include "base/buf.h"
#include "config/config.h"

enum option_type {
    OPTION_BOOL,
    OPTION_INT,
    OPTION_SIZE,
    OPTION_DURATION,
    OPTION_STRING,
    OPTION_LIST,
    OPTION_ENUM,
};

enum option_group {
    GROUP_SERVER,
    GROUP_STORAGE,
    GROUP_SOURCES,
    GROUP_ACCESS,
    GROUP_LIMITS,
    GROUP_DELIVERY,
    GROUP_LOG,
    GROUP_TOPICS,
    GROUP_COUNT
};

struct option {
    const char *name; /* the YAML key path */
    enum option_type type;
    enum option_group group;
    size_t at;                /* offset in struct config */
    const char *initial;      /* the default, as text; lists: separated by commas */
    const char *argument;     /* its name in help: "HOST:PORT"; NULL: by type */
    const char *environment;  /* another environment name, for users of other systems */
    const char *const *names; /* OPTION_ENUM: NULL-terminated, in the order of the enum */
    uint64_t min, max;        /* numbers; max 0: none */
    bool reloadable;
    bool secret; /* never printed, and not accepted as a flag, which every user could see */

    /* Checks one text (an item of a list). NULL: any. Appends what was expected to `expected`
     * ("HOST:PORT, …") and returns FAN_E_INVALID. */
    int (*check)(struct slice text, struct buf *expected);
    const char *help; /* sentences, with a full stop */
};

extern const struct option options[];
extern const size_t option_count;

/* NULL when there is none. The name's '.', '_' and '-' count as the same character, so this also
 * finds flags (without "--"). */
const struct option *option_find(struct slice name);

/* The option or section name nearest to a mistyped one; NULL when none is near. */
const char *option_suggest(struct slice name);

/* Whether `name` is the first part of an option's name ("limits"). */
bool option_is_section(struct slice name);

/* "--limits-message-size" */
void option_append_flag(struct buf *out, const struct option *o);

/* "FANFARE_LIMITS_MESSAGE_SIZE" */
void option_append_environment(struct buf *out, const struct option *o);

/* "N", "SIZE", "HOST:PORT"; "" for switches. */
const char *option_argument(const struct option *o);

/* "Limits" */
const char *option_group_title(enum option_group group);

#endif
