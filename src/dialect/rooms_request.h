/*
 * Polls and posts on their way between a client's connection and the worker of its session, for the
 * dialect `rooms`. The session may live on another worker than the one that the request came to.
 */
#ifndef DIALECT_ROOMS_REQUEST_H
#define DIALECT_ROOMS_REQUEST_H

#include "base/buf.h"
#include "dialect/rooms_private.h"

struct room_request {
    enum { REQUEST_POLL, REQUEST_POST, REQUEST_CANCEL } kind;
    struct worker *origin; /* where it came to */
    /* For the origin alone; NULL: none, or its connection is gone. */
    struct http_exchange *exchange;
    uint64_t number; /* its own; of one that cancels, that of the poll */
    /* The same for those that are one request of the client's, sent again by something below it;
     * 0: nobody can tell. */
    uint64_t tag;
    uint64_t connection;       /* the id of the one that it came on */
    struct room_request *copy; /* of a poll: the same on another connection; NULL: no more */
    char sid[ROOM_ID_SIZE];
    struct buf body; /* what came, then the answer */
    int status;
    struct worker_task task;
};

/* The exchange as a request to that session. Free it by one of the two below. */
struct room_request *room_request_new(struct http_exchange *x, const char *sid);

/* Answer it, from the session's worker: 200 with the request's body; a refusal. Both take the
 * request over; the answer goes out in a moment. */
void room_request_answer(struct room_request *r);
void room_request_refuse(struct room_request *r, enum room_refusal code);

/* Releases one that nobody waits for. */
void room_request_free(struct room_request *r);

/* The session's side, rooms_polling.c: takes a request over, on the session's worker. */
void room_request_handle(struct worker *w, void *request);

#endif
