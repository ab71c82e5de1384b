/* Dialect `rooms`: Socket.IO, for the agent platform; see rooms.c. */
#ifndef DIALECT_ROOMS_H
#define DIALECT_ROOMS_H

#include "dialect/dialect.h"

extern const struct dialect rooms_dialect;

#endif
