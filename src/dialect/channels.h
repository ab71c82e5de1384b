/* The dialect `channels`; see dialect.h. */
#ifndef DIALECT_CHANNELS_H
#define DIALECT_CHANNELS_H

#include "dialect/dialect.h"

extern const struct dialect channels_dialect;

#endif
