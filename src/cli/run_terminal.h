/*
 * The caller's terminal while an interactive command runs: in raw mode, so that every key goes to
 * the command's own terminal, which gives it its meaning; and set back in time: when the program
 * ends, is stopped, or crashes. There is one at most.
 */
#ifndef CLI_RUN_TERMINAL_H
#define CLI_RUN_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

struct run_terminal {
    int fd; /* -1: there is none, and all functions do nothing */
    bool raw;
    struct termios before, during;
};

/* Remembers the settings of the terminal at fd; -1 for none. */
void run_terminal_init(struct run_terminal *t, int fd);

/* Whether the program is in the terminal's foreground: only then may it read or change it. */
bool run_terminal_is_ours(const struct run_terminal *t);

/* Raw mode, if the terminal is ours; changed settings are remembered first. */
void run_terminal_enter(struct run_terminal *t);

/* The settings that were found. */
void run_terminal_leave(struct run_terminal *t);

#endif
