/* Freeing what the library handed over. */
#ifndef FANFARE_MEMORY_H
#define FANFARE_MEMORY_H

#ifdef __cplusplus
extern "C" {
#endif

/* Frees a text or list that a fan_ function returned to be owned by the caller. NULL is allowed.
 * Any thread. */
void fan_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif
