/* The server that a client command talks to: --url, --token, --ca. */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "cli/arguments.h"
#include "client/exchange.h"

#define REMOTE_OPTIONS                                                                             \
    {"url", "URL", "FANFARE_URL",                                                                  \
     "The server: http://HOST:PORT, https://HOST/PATH or unix:PATH. [http://127.0.0.1:8000]"},     \
        {"token", "TOKEN", "FANFARE_TOKEN",                                                        \
         "The token to show the server; better in the environment, where other users cannot read " \
         "it."},                                                                                   \
    {                                                                                              \
        "ca", "FILE", NULL, "Certificates of authorities to trust, PEM, instead of the system's."  \
    }

struct remote {
    const char *url;
    const char *token;   /* NULL: none */
    const char *ca_file; /* NULL: the system's */
    struct stream_target target;
};

/* Reads the options. 0, or WRONG_USAGE after a message. `wake` ends waiting; -1: nothing does. */
int remote_init(struct remote *r, const struct arguments *a, int wake);

/* Appends why the server could not be reached, and what to do about it: "nothing listens at
 * http://127.0.0.1:8000; start one with: fanfare serve". `why`: the reason as the connection's
 * layers tell it. */
void remote_append_reason(struct buf *out, const struct remote *r, struct slice why);

/* One request; see exchange_request. Returns 0 when there is an answer, else FAILED after a message
 * that says what to do. */
int remote_request(const struct remote *r, const struct command *command, const char *method,
                   struct slice target, struct slice body, int timeout_ms,
                   struct response *response);

/* GET, the whole body of a 200 appended to `body`, at most 64 MiB. 0; FAN_E_CLOSED when woken;
 * FAN_E_DENIED (401, 403), FAN_E_NOT_FOUND (404), FAN_E_INVALID (other 4xx), FAN_E_UNAVAILABLE (any
 * other answer), or as exchange_request. On failure `why` says it for people. */
int remote_get(const struct remote *r, struct slice target, int timeout_ms, struct buf *body,
               struct buf *why);

#endif
