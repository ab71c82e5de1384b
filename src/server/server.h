/*
 * A server, wired together: hub, workers, listeners, watchers. It knows nothing of signals or of
 * the program around it, so that the program (program.h) and other people's programs
 * (fanfare/server.h) use the same.
 *
 * Whoever owns it lends it a loop, on which its clockwork runs: the hub's tick and the drain. One
 * object each; nothing is global.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/buf.h"

struct config;
struct engine;
struct server;

struct server_owner {
    uv_loop_t *loop; /* initialised; nobody needs to run it yet */
    /* Everybody has been told to go and has gone, or was given up. On the loop's thread. */
    void (*drained)(void *arg);
    void *arg;
    struct engine *engine; /* the server's from here on; NULL: the configured one */
    bool owns_process;     /* the process's limit of open files may be raised without being asked */
};

/* The configuration stays the caller's and must outlive the server. Never NULL. */
struct server *server_new(const struct config *config);

/* Opens all addresses and starts all threads, which block every signal. 0, or an error with the
 * reason appended to `why`; then only server_stop, the end of the loop and server_free may follow.
 * Once. */
int server_start(struct server *s, const struct server_owner *owner, struct buf *why);

/* Stops accepting and tells the connections to go, spread over the configuration's drain; then
 * `drained`. A second call does not wait any longer. On the loop's thread. */
void server_drain(struct server *s);

/* Takes over what can be changed while it runs and logs what cannot, or what is wrong. On the
 * loop's thread. */
void server_reload(struct server *s);

/* Ends all threads; connections that are left are closed. Afterwards the owner closes all handles
 * of its loop, and then server_free may follow. Not from the workers' threads. */
void server_stop(struct server *s);

/* Whether the caller is one of its workers, in some callback. */
bool server_is_own_thread(const struct server *s);

/* NULL is allowed. */
void server_free(struct server *s);

/* Where it listens: "http://127.0.0.1:8000" with the base path behind it, or "unix:PATH"; false:
 * there is no i-th. */
bool server_append_url(const struct server *s, size_t i, struct buf *out);

/* Sets the process's log up as configured. 0 or FAN_E_IO with the reason appended. */
int server_configure_log(const struct config *config, struct buf *why);

/* That it has started, for the log. */
void server_log_start(struct server *s);

/* The same for programs, and likewise that it begins to go down: members for a JSON object that has
 * been begun. On the loop's thread. */
void server_append_start(struct server *s, struct buf *out);
void server_append_drain(struct server *s, struct buf *out);

#endif
