/*
 * Topic names: `session:<id>`, `project:<id>`, `agent:<id>`, `user:<id>`, `channel:<name>` and
 * `global`. No I/O, any thread.
 */
#ifndef HUB_TOPIC_NAME_H
#define HUB_TOPIC_NAME_H

#include "base/buf.h"
#include "base/slice.h"

enum topic_kind {
    TOPIC_SESSION,
    TOPIC_PROJECT,
    TOPIC_AGENT,
    TOPIC_USER,
    TOPIC_CHANNEL,
    TOPIC_GLOBAL,
    TOPIC_KINDS, /* how many there are */
};

/* A set of kinds is an unsigned with these bits. */
#define TOPIC_BIT(kind) (1u << (kind))

/* Longest topic name, bytes. A user's id may be three times as long as others (128), because
 * what stands outside the identifier characters is percent-encoded there. */
#define TOPIC_USER_ID_MAX 384
#define TOPIC_NAME_MAX    (5 + TOPIC_USER_ID_MAX)

struct topic_name {
    enum topic_kind kind;
    struct slice id; /* within the parsed text; empty for `global` */
};

/* Reads a topic name. Returns 0, or FAN_E_INVALID with *why set to a sentence (static) that says
 * what was expected; why may be NULL. */
int topic_name_parse(struct slice text, struct topic_name *name, const char **why);

/* Appends `<kind>:<id>`, or `global`. */
void topic_name_append(struct buf *out, struct topic_name name);

/* Appends `user:<id>` for a token's subject, which may hold any bytes: those outside the
 * identifier characters are percent-encoded with capital digits. FAN_E_INVALID for an empty
 * subject, FAN_E_TOO_LARGE for one whose encoded form exceeds TOPIC_USER_ID_MAX. */
int topic_user_append(struct buf *out, struct slice subject);

/* "session", "project"… */
const char *topic_kind_name(enum topic_kind kind);

/* The kind of that name; false when there is none. */
bool topic_kind_find(struct slice name, enum topic_kind *kind);

/* The beginnings of a topic's name by which patterns match it, shortest first: "channel:",
 * "channel:files/", "channel:files/src/". *at begins as 0. False: there are no more. */
bool topic_prefix_next(struct slice name, size_t *at, struct slice *prefix);

#endif
