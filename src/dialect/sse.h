/* The dialect `sse`: /events as Server-Sent Events or NDJSON; see dialect.h. */
#ifndef DIALECT_SSE_H
#define DIALECT_SSE_H

#include "dialect/dialect.h"

extern const struct dialect sse_dialect;

#endif
