/*
 * A whole terminal: the alternate screen, keys as they are pressed, its size, and the signals that
 * matter to it. However the program ends, but by SIGKILL, the terminal is as it was before. One at
 * a time, on one thread.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdbool.h>
#include <termios.h>

#include "base/buf.h"

struct screen {
    int keys;    /* readable when keys were pressed; reading does not block */
    int signals; /* readable when screen_signal has something to tell */
    struct termios before;
};

/* Whether stdout is a terminal that can show pictures. */
bool screen_possible(void);

/* Takes the terminal over; to be called before other threads start, since it blocks signals. 0, or
 * FAN_E_IO when there is no terminal for the keys. */
int screen_open(struct screen *s);
void screen_close(struct screen *s);

void screen_size(unsigned *rows, unsigned *columns);

/* Shows lines of text, in one write and without clearing first. The last line may lack its newline.
 * False when the terminal is gone. */
bool screen_draw(const struct buf *picture);

enum screen_news { SCREEN_NOTHING, SCREEN_REDRAW, SCREEN_END };

/* What signals came: the size changed (SIGWINCH), stopped and continued (SIGTSTP, Ctrl-Z), or it is
 * time to end (SIGINT, SIGTERM, SIGHUP, SIGQUIT). */
enum screen_news screen_signal(struct screen *s);

/* Gives the terminal back and stops the program, as Ctrl-Z does; returns when it goes on. */
void screen_suspend(struct screen *s);

#endif
