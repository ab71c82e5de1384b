/* The public way to free what the library handed over; see fanfare/memory.h. */
#include "fanfare/memory.h"

#include "base/memory.h"

void fan_free(void *memory)
{
    memory_free(memory);
}
