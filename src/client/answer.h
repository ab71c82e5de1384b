/* What a server answers to published events. No I/O, any thread. */
#ifndef CLIENT_ANSWER_H
#define CLIENT_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* {"error": {"message", "status", …}, "line": n}, or with a plain text as error. */
struct answer_error {
    int status;         /* HTTP's; 0: not told */
    bool later;         /* the server could not take it now: worth sending again */
    uint64_t line;      /* which event of the connection or body, from 1; 0: not told */
    uint32_t retry_ms;  /* 0: not told */
    struct buf message; /* for people */
};

/* False when the text is no such object; otherwise free it with answer_error_fini. */
bool answer_error_parse(struct slice json, struct answer_error *error);
void answer_error_fini(struct answer_error *error);

/* {"published": n, "failed": m, …}: how many events since the last such answer. False when the
 * text is no such object. */
bool answer_batch_parse(struct slice json, uint64_t *published, uint64_t *failed);

#endif
