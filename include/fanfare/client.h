/*
 * A client that publishes events to a Fanfare server over the network.
 *
 * fan_client_publish returns at once: the event goes into a spool in memory, and a thread of the
 * client's own sends what is there over one WebSocket (/api/v1/publish?ack=batch). While the server
 * cannot be reached the spool fills, and the thread tries again with growing, randomly shortened
 * pauses: a quarter of a second up to 15 s, and never more than a quarter while fan_client_flush
 * waits. Every event carries an id, and what was not acknowledged when a connection broke is sent
 * again with the same id, which the server publishes once. Events reach the server in the order in
 * which they were accepted; only one that the server asks to send later (429, 503) may be overtaken
 * by others.
 *
 * When the spool is full, what is in it stays and new events are refused with FAN_E_LIMIT; the
 * statistics count them. fan_client_wait_room waits for room instead.
 *
 *   struct fan_client *client;
 *   struct fan_client_options options = {.url = "http://127.0.0.1:8000"};
 *   if (fan_client_new(&options, &client, NULL, 0) == 0) {
 *       fan_client_publish(client, "session:abc", "build_progress",
 *                          "{\"total\":10,\"completed\":3}");
 *       fan_client_flush(client, 5000);
 *       fan_client_free(client);
 *   }
 *
 * All functions may be called from any thread, except where their comment says otherwise. Strings
 * are UTF-8, NUL-terminated, and copied: they stay the caller's.
 */
#ifndef FANFARE_CLIENT_H
#define FANFARE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fanfare/broadcast.h"
#include "fanfare/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fan_client;

enum fan_client_problem_kind {
    /* No connection, or it broke. The client tries again by itself; the same reason is reported
     * once, not for each attempt. */
    FAN_CLIENT_UNREACHABLE,
    /* The server refuses the connection (`status` is HTTP's: 401, 403, 404…). The client tries
     * again, but mostly only another token or URL helps. */
    FAN_CLIENT_DENIED,
    /* The server refused one event, which is dropped: `tag` is the event's, `status` HTTP's. */
    FAN_CLIENT_EVENT_REFUSED,
};

struct fan_client_problem {
    enum fan_client_problem_kind kind;
    int status;          /* 0: there was no answer */
    uint64_t tag;        /* FAN_CLIENT_EVENT_REFUSED only */
    const char *message; /* a sentence for people; valid during the callback */
};

struct fan_client_options {
    /* http://HOST[:PORT][/BASE], https://…, ws://…, wss://… or unix:PATH. */
    const char *url;
    const char *token;   /* sent as Authorization: Bearer; NULL: none */
    const char *source;  /* `source` of events that name none; NULL: none */
    const char *ca_file; /* PEM file of trusted authorities; NULL: the system's */
    size_t spool_bytes;  /* 0: 16 MiB */
    /* Added to the nice value of the client's thread, so that publishing much does not take the
     * processor from what is published about. 0 to 19; Linux only. */
    int nice;

    /* Called on the client's thread; may be NULL. Must not call fan_client_flush,
     * fan_client_wait_room or fan_client_free. */
    void (*on_problem)(void *arg, const struct fan_client_problem *problem);
    void *arg;
};

/* One event; see the publishing API for the fields. Only topic and type are needed. */
struct fan_client_event {
    const char *topic; /* "session:abc"; NULL: where events of this type go by themselves */
    const char *type;  /* "component_update" */
    const char *data;  /* a JSON object; NULL: {} */
    const char *id;    /* for idempotency; NULL: the client makes one */
    const char *key;   /* for readers that want only the newest per key */
    const char *time;  /* RFC 3339; NULL: when it reaches the server */
    const char *source;
    bool ephemeral; /* not kept and never replayed */
    uint64_t tag;   /* yours; comes back in FAN_CLIENT_EVENT_REFUSED */
};

struct fan_client_stats {
    bool connected;
    uint64_t accepted;     /* events taken into the spool */
    uint64_t acknowledged; /* by the server */
    uint64_t refused;      /* by the server, for good */
    uint64_t refused_full; /* not accepted because the spool was full */
    uint64_t resent;       /* sent once more after a connection broke or the server asked for it */
    uint64_t connects;     /* connections made */
    size_t spool_events;   /* waiting, or sent and not acknowledged */
    size_t spool_bytes;
};

/* Makes a client and starts its thread; does not wait for a connection. On success *client is to
 * be freed with fan_client_free. FAN_E_INVALID for a URL, token or CA file that cannot work (the
 * reason is written to `why`, which may be NULL, at most why_size bytes with the NUL);
 * FAN_E_NO_MEMORY when no thread can be started. */
int fan_client_new(const struct fan_client_options *options, struct fan_client **client, char *why,
                   size_t why_size);

/* Closes the connection and frees the client; events that are still in the spool are lost, so
 * call fan_client_flush before. Waits for the thread, which takes a moment at most (name
 * resolution that hangs excepted). No other call may run or follow. NULL is allowed. */
void fan_client_free(struct fan_client *client);

/* Queues one event: FAN_E_INVALID for an empty topic or type or text that is not UTF-8,
 * FAN_E_PARSE for data that is not a JSON object, FAN_E_LIMIT when the spool is full,
 * FAN_E_TOO_LARGE when it could never fit. */
int fan_client_publish(struct fan_client *client, const char *topic, const char *type,
                       const char *data);
int fan_client_publish_event(struct fan_client *client, const struct fan_client_event *event);

/* Queues an event that is a JSON object already, as POST /api/v1/publish takes it; an `id` is added
 * when it has none. Errors as above; for FAN_E_PARSE the byte position and reason are written to
 * `why` (may be NULL). */
int fan_client_publish_json(struct fan_client *client, const char *event, size_t len, uint64_t tag,
                            char *why, size_t why_size);

/* For the typed functions of broadcast.h, which then return as fan_client_publish. Valid as long as
 * the client is. */
struct fan_publisher fan_client_publisher(struct fan_client *client);

/* Waits until an event of `bytes` bytes would be accepted. 0, FAN_E_TIMEOUT, or FAN_E_TOO_LARGE
 * when it never would. timeout_ms < 0: no limit. */
int fan_client_wait_room(struct fan_client *client, size_t bytes, int timeout_ms);

/* Waits until everything that was accepted before the call is acknowledged or refused. 0, or
 * FAN_E_TIMEOUT. timeout_ms < 0: no limit. */
int fan_client_flush(struct fan_client *client, int timeout_ms);

void fan_client_stats(struct fan_client *client, struct fan_client_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
