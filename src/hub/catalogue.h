/*
 * The event catalogue: every event type that Fanfare knows, with its fields, their checks and
 * their meaning, in one table (event_table.c), and the names that belong to the dialects' control
 * messages (control_messages.c) and cannot be published.
 *
 * Validation, filters, the folded session state, the AsyncAPI document and docs/events.md all
 * come from here. A new event type is a new row. Types that are not in the table ("custom"
 * types) pass through unchecked, but for those on the channels that are there from the start:
 * each of these has a row for whatever is published to it.
 *
 * The tables are constant; everything here may be called by any thread.
 */
#ifndef HUB_CATALOGUE_H
#define HUB_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "codec/json.h"
#include "hub/topic_name.h"

/* A table's constant slice of a literal. */
#define NAME(literal)               \
    {                               \
        literal, sizeof literal - 1 \
    }

enum event_field_kind {
    EVENT_ANY,
    EVENT_TEXT,
    EVENT_NUMBER,
    EVENT_INTEGER,
    EVENT_BOOLEAN,
    EVENT_OBJECT,
    EVENT_LIST,
    EVENT_TEXT_LIST,
    EVENT_UUID,
};

/* Flags of a field. One that is not required may be left out or null. */
#define EVENT_REQUIRED     1u
#define EVENT_NOT_EMPTY    2u /* a text with at least one character */
#define EVENT_MINIMUM      4u
#define EVENT_MAXIMUM      8u
#define EVENT_OPEN_CHOICES 16u /* other values pass, with a warning */

struct event_field {
    struct slice name;
    enum event_field_kind kind;
    unsigned flags;
    double minimum, maximum;
    const char *const *choices; /* ends with NULL; NULL: any text */
    size_t longest;             /* text of more bytes is left out; 0: no limit of its own */
    /* Of an object, or of each object in a list; NULL: anything. */
    const struct event_field *members;
    unsigned member_count;
    const char *meaning;
};

/* Most fields that one type may have. */
#define EVENT_FIELDS_MAX 24

/* Where events go whose publisher names no topic; see event_route.h. */
struct event_route {
    enum topic_kind kind;
    const char
        *field;     /* of data: the topic's id, no route when it is left out; NULL for `global` */
    bool otherwise; /* only when none of those before leads anywhere */
};

/* Most routes that one type may have. */
#define EVENT_ROUTES_MAX 3

/* What was found while the members of data were walked. */
struct event_members {
    struct slice data;
    uint32_t found; /* bit i: fields[i] stood there with a value other than null */
    struct json_value values[EVENT_FIELDS_MAX]; /* where it stood */
};

struct event_check;
struct event_type;

/* Checks that span fields, and members to add. Writes a new data to replacement, or leaves it
 * empty; otherwise as event_validate. */
typedef int event_finish_fn(const struct event_type *type, const struct event_members *members,
                            struct buf *replacement, struct event_check *check);

struct event_type {
    struct slice name;
    const char *short_names[3]; /* for filters; ends with NULL */
    unsigned topics;            /* kinds of topic on which it is usual (TOPIC_BIT) */
    const char *key_field;      /* latest-per-key: the field whose value is the key; "": the type
                                   alone is; NULL: every event counts */
    const struct event_field *fields;
    unsigned field_count;
    event_finish_fn *finish; /* NULL: none */
    bool any_names; /* data may have members of an envelope's names: flat envelopes nest it then */
    const struct event_route *routes; /* where it goes by itself; NULL: publishers name topics */
    unsigned route_count;
    const char *section; /* where documents put it; NULL: build sessions */
    const char *meaning;
    const char *example; /* a valid data, JSON */
};

/* NULL for a custom type. A few nanoseconds. */
const struct event_type *catalogue_find(struct slice name);

/* Number of types, at most 63, so that a filter is a 64-bit mask with one bit left for custom
 * types. */
unsigned catalogue_count(void);
const struct event_type *catalogue_at(unsigned index);

/* The position in the table, -1 for NULL. */
int catalogue_index(const struct event_type *type);

/* The row for events of other types on the channel of that name ("files"); NULL: they pass
 * unchecked. */
const struct event_type *catalogue_channel(struct slice name);
unsigned catalogue_channel_count(void);
const struct event_type *catalogue_channel_at(unsigned index);

/* The type that a filter means: a type's name or one of the short names (`components`, `tasks`…).
 * NULL: neither, so perhaps a custom type. */
const struct event_type *catalogue_find_filter(struct slice name);

/* Whether the name belongs to a control message of a dialect or to Socket.IO. */
bool catalogue_reserved(struct slice name);

/* Whether a name has the form of an event type: [a-z][a-z0-9_.-]{0,63}. */
bool catalogue_name_valid(struct slice name);

/* A message that a dialect uses to talk about the connection, not about the session. */
struct control_message {
    struct slice name;
    const char *dialect; /* "build", "ide", "channels", "rooms", "socket.io", "sse" */
    bool from_client;
    const struct event_field *fields;
    unsigned field_count;
    const char *meaning; /* NULL: only the name is reserved */
};

/* The table of control messages; *count is set. A name stands there once for each dialect. */
const struct control_message *control_messages(unsigned *count);

#endif
