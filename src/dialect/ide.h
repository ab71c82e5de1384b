/* The dialect `ide`; see dialect.h. */
#ifndef DIALECT_IDE_H
#define DIALECT_IDE_H

#include "dialect/dialect.h"

extern const struct dialect ide_dialect;

#endif
