/*
 * One request about the agent platform's records, from its worker to the platform's thread and
 * back. The exchange may end meanwhile: the request goes on without it, and its answer is dropped.
 *
 *   struct platform_request *q = platform_request_new(r, run_get);
 *   …what run_get needs, copied into q…
 *   platform_request_start(q);      // takes the body first, when there is one
 */
#ifndef API_PLATFORM_REQUEST_H
#define API_PLATFORM_REQUEST_H

#include "api/api.h"
#include "api/platform.h"
#include "api/publish_event.h"

#define UUID_SIZE 37 /* with its NUL */

/* The part of a list that is asked for. */
struct platform_page {
    uint64_t limit, after; /* at most so many, behind the one of that number */
};

struct platform_request;

/* On the platform's thread: fills status and answer, or calls platform_request_refuse. */
typedef void platform_run(struct platform_request *q, struct platform_db *db);

struct platform_request {
    struct platform_job job;
    struct api *api;
    struct worker *worker;
    struct http_exchange *exchange; /* the worker's; NULL: it ended */
    bool handed_over;
    platform_run *run;
    struct identity *who; /* a reference */

    /* What is asked. */
    char id[UUID_SIZE];
    const void *arg; /* constant, of whoever made it */
    struct buf body;
    struct buf delivery;  /* a webhook's */
    struct buf condition; /* If-Match or If-None-Match, as sent */
    struct platform_page page;

    /* What is answered. */
    int status;
    struct buf answer;  /* JSON; none: no body */
    struct buf headers; /* "ETag: …\r\n" */
    struct publish_failure failure;
};

/* Worker's thread. The exchange's data and abort are the request's from here on. */
struct platform_request *platform_request_new(struct api_request *r, platform_run *run);

/* Hands it over, when the body is there. Answers 503 when too many wait. */
void platform_request_start(struct platform_request *q);

/* The same when the body has been taken already. */
void platform_request_hand_over(struct platform_request *q);

/* Says what is wrong; a later call is ignored. */
void platform_request_refuse(struct platform_request *q, int status, const char *code,
                             const char *field, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* A page of a list as the answer: `{"NAME":[`, then the caller's elements, then the place where the
 * next page begins, `last`, when there are `more`. */
void platform_request_begin_list(struct platform_request *q, const char *name);
void platform_request_end_list(struct platform_request *q, bool more, int64_t last);

/* The database failed. */
void platform_request_failed(struct platform_request *q, struct platform_db *db);

/* ---- Inside run ---- */

/*
 * Publishes an event where its type goes by itself, and waits until it has its place. id may be
 * empty. False: it was refused, and so is the request. All that the platform publishes goes through
 * here.
 */
bool platform_publish(struct platform_request *q, const char *type, const char *source,
                      struct slice data, struct slice id);

/* Whether the request's user may; false: refused, 401 or 403. */
bool platform_may_publish(struct platform_request *q, struct slice topic);
bool platform_may_read(struct platform_request *q, struct slice topic);

/* Ends the transaction that a run began: a commit when nothing was refused. */
void platform_end(struct platform_request *q, struct platform_db *db);

/* ---- Before ---- */

/* Reads the path's id, in small letters; answers 422 and returns false when it is no UUID. */
bool platform_read_id(struct api_request *r, const char *field, char id[UUID_SIZE]);

/* Reads `limit` and `after`; answers 422 and returns false when they are no numbers. */
bool platform_read_page(struct api_request *r, struct platform_page *page);

/* A fresh random UUID (RFC 9562, 5.4). */
void platform_make_id(char id[UUID_SIZE]);

/* Whether the text is a UUID; then *id is it, in small letters. */
bool platform_parse_id(struct slice text, char id[UUID_SIZE]);

#endif
