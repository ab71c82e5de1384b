/*
 * Cursors: an opaque text for a position in a node's order: base64url of an epoch (8 bytes, the
 * life of the numbering) and a sequence number (8 bytes), 22 characters. No I/O, any thread.
 */
#ifndef CODEC_CURSOR_H
#define CODEC_CURSOR_H

#include <stdint.h>

#include "base/slice.h"

#define CURSOR_TEXT_SIZE 23 /* with the NUL */

struct cursor {
    uint64_t epoch;
    uint64_t seq;
};

void cursor_format(struct cursor c, char out[CURSOR_TEXT_SIZE]);

/* 0 or FAN_E_PARSE. */
int cursor_parse(struct slice text, struct cursor *c);

/* The text form of a topic's epoch: 11 characters of base64url and a NUL. */
#define EPOCH_TEXT_SIZE 12
void epoch_format(uint64_t epoch, char out[EPOCH_TEXT_SIZE]);
int epoch_parse(struct slice text, uint64_t *epoch);

#endif
