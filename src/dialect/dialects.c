/* The list of dialects: a new one is a line in dialect.h's enumeration and one here. */
#include "dialect/build.h"
#include "dialect/dialect.h"
#include "dialect/sse.h"

const struct dialect *const dialects[] = {
    [DIALECT_BUILD] = &build_dialect,
    [DIALECT_SSE] = &sse_dialect,
};

const unsigned dialect_count = sizeof dialects / sizeof *dialects;
