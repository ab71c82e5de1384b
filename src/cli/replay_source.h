/* Where the events of a replay come from: a topic's history on a server, or a file. One thread. */
#ifndef CLI_REPLAY_SOURCE_H
#define CLI_REPLAY_SOURCE_H

#include "cli/remote.h"
#include "codec/json.h"

/* What replay_source_next returns beside 0 (there is an event) and FAILED (after a message). */
enum { REPLAY_END = -1, REPLAY_INTERRUPTED = -2 };

/*
 * A topic's history, as it is when the replay begins, page by page: what comes meanwhile is not
 * part of it. A connection that breaks is made again; a server that lost the history is named.
 */
struct replay_history {
    const struct remote *remote; /* its wake interrupts */
    const char *topic;
    const char *cursor; /* where to begin instead of since; NULL: none */
    uint64_t since;     /* the offset of the last event that was played */

    /* Private. */
    bool begun;
    uint64_t until; /* the last event's offset */
    char epoch[64];
    struct buf page, why;
    struct json_iter events;
};

/* The next event, valid until the next call. */
int replay_history_next(struct replay_history *h, struct json_value *event);
void replay_history_fini(struct replay_history *h);

/* A recording: one event as a JSON object on each line, as `fanfare sub --json` writes it. */
struct replay_file {
    const struct command *command; /* whose messages these are */
    const char *name;
    int fd;   /* read from; the owner closes it */
    int wake; /* interrupts; -1: nothing does */

    /* Private. */
    struct buf text;
    size_t taken;  /* bytes of text that the last call returned */
    uint64_t line; /* of the last event, from 1; may be read */
    bool ended;
};

int replay_file_next(struct replay_file *f, struct json_value *event);
void replay_file_fini(struct replay_file *f);

#endif
