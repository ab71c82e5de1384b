/* The memory engine: orders events at once and keeps them in memory only. */
#ifndef ENGINE_MEMORY_H
#define ENGINE_MEMORY_H

#include "hub/hub.h"

/* To be given to hub_set_engine, which owns it then. */
struct engine *engine_memory_new(void);

#endif
