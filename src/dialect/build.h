/* The dialect `build`; see dialect.h. */
#ifndef DIALECT_BUILD_H
#define DIALECT_BUILD_H

#include "dialect/dialect.h"

extern const struct dialect build_dialect;

#endif
