/*
 * HTTP routes: what each is for people and programs (struct route_doc, in one table,
 * route_docs.c), and what it does (struct route, which joins a description with its handler).
 *
 * The OpenAPI document and the page at /docs come from the descriptions. All of it is constant;
 * any thread.
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include <stdbool.h>

#include "codec/http.h"

enum route_place { IN_PATH, IN_QUERY, IN_HEADER };

struct route_parameter {
    const char *name;
    enum route_place in;
    const char *type; /* JSON Schema: "string", "integer", "number", "boolean" */
    bool required;
    bool repeatable;
    const char *description;
};

struct route_answer {
    int status;
    const char *media;  /* NULL: no body */
    const char *schema; /* a name in schemas.json; NULL: plain text */
    const char *description;
};

#define ROUTE_OPEN      1u /* no token needed, whatever the configuration */
#define ROUTE_WEBSOCKET 2u /* answers 101 to a WebSocket handshake */
#define ROUTE_STREAM    4u /* the answer goes on until one side ends it */
#define ROUTE_CHANGES   8u /* changes something: foreign origins are refused */

struct route_doc {
    enum http_method method;
    const char *path; /* "/api/v1/topics/{topic}/history"; a parameter is one segment */
    const char *id;   /* operationId */
    const char *tag;
    const char *summary;
    const char *description; /* NULL: the summary says it all */
    const struct route_parameter *parameters;
    unsigned parameter_count;
    const char *request_media[3]; /* ends with NULL; none: no body */
    const char *request_schema;
    const struct route_answer *answers; /* 401 and 403 are added to routes that are not open */
    unsigned answer_count;
    unsigned flags;
};

/* The table of all routes. */
const struct route_doc *route_docs(unsigned *count);

/* The description of a method and a path template; NULL: there is none. */
const struct route_doc *route_doc_find(enum http_method method, const char *path);

struct http_exchange; /* a request and its answer, net/http_server.h */

struct route {
    const struct route_doc *doc;
    void (*handle)(struct http_exchange *exchange);
};

/*
 * Matches a request's path, as sent, with a template. Segments of the path are compared after
 * percent-decoding; those in place of `{…}` are stored, as sent, in values[0..count-1], in order.
 * A parameter never matches an empty segment. False: no match, or more than count parameters.
 */
bool route_match(const char *template, struct slice path, struct slice *values, unsigned count);

#endif
