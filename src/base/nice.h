/* Threads that yield to others. */
#ifndef BASE_NICE_H
#define BASE_NICE_H

/* Adds to the nice value of the calling thread alone, which POSIX knows only for processes: Linux;
 * elsewhere nothing happens. It cannot be taken back without privileges. */
void nice_thread(int increment);

#endif
