/*
 * A connection to a data directory's fanfare.db: opening, settings, prepared statements, and what
 * SQLite's errors mean to people. One thread at a time.
 */
#ifndef ENGINE_STORE_DB_H
#define ENGINE_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define STORE_FILE "fanfare.db"

#define STORE_PAGE_BYTES 4096

/* How long to wait for another process: it may be reading (`fanfare store`), and never writes for
 * long. */
#define STORE_BUSY_MS 5000

/* When a commit counts as done: once it is on the disk, once it would survive the end of the
 * process and, but for the last ones, of the machine; or without ever asking the disk. */
enum store_synchronous { STORE_SYNC_FULL, STORE_SYNC_NORMAL, STORE_SYNC_OFF };

enum store_statement {
    STORE_BEGIN,
    STORE_COMMIT,
    STORE_ROLLBACK,
    STORE_PUT_META,  /* name, value */
    STORE_GET_META,  /* name -> value */
    STORE_PUT_TOPIC, /* id, name, epoch, offset, first, birth, last, trimmed, bytes; state stays */
    STORE_PUT_STATE, /* id, state_offset, state */
    STORE_GET_STATE, /* id -> state_offset, state */
    STORE_DELETE_TOPIC, /* id */
    STORE_EACH_TOPIC,   /* -> id, name, epoch, offset, first, birth, last, trimmed, bytes,
                           state_offset */
    STORE_PUT_RUN,      /* id, count, first_seq, last_seq, accepted_ms, bytes, data */
    STORE_DELETE_RUNS,  /* from id, to id, both inclusive */
    STORE_RUNS_UP,      /* from id, to id -> id, count, first_seq, last_seq, accepted_ms, bytes */
    STORE_RUNS_DOWN,    /* the same, highest id first */
    STORE_RUN_DATA,     /* id -> data */
    STORE_PUT_NOTE,     /* name, value */
    STORE_DELETE_NOTE,  /* name */
    STORE_EACH_NOTE,    /* from name, below name -> name, value */
    STORE_STATEMENTS
};

struct store_db {
    sqlite3 *db;
    sqlite3_stmt *statements[STORE_STATEMENTS];
};

/* Opens the file, made (and of this schema) unless read_only. 0; FAN_E_IO or FAN_E_UNSUPPORTED with
 * the reason appended to `why`. */
int store_db_open(struct store_db *d, const char *path, bool read_only,
                  enum store_synchronous synchronous, struct buf *why);
void store_db_close(struct store_db *d);

/* From the next transaction on; there is none under way. SQLite's code. */
int store_db_synchronous(struct store_db *d, enum store_synchronous synchronous);

/* The statement, reset; NULL: it could not be prepared (store_db_code). */
sqlite3_stmt *store_db_get(struct store_db *d, enum store_statement which);

/* Runs a statement that gives no rows. SQLITE_OK or the error's extended code. */
int store_db_run(struct store_db *d, sqlite3_stmt *statement);

/* A row's number; what is stored fits into 63 bits. */
static inline uint64_t store_column(sqlite3_stmt *row, int i)
{
    return (uint64_t)sqlite3_column_int64(row, i);
}

/* A row's text, "" for NULL; valid until the next step. */
static inline struct slice store_column_text(sqlite3_stmt *row, int i)
{
    const char *text = (const char *)sqlite3_column_text(row, i);
    return slice_of(text ? text : "", (size_t)sqlite3_column_bytes(row, i));
}

/* For people, static: "the disk is full". code: an extended one. */
const char *store_error_text(int code);

/* A NULL statement gives SQLITE_ERROR: see sqlite3_extended_errcode. */
int store_get_meta(struct store_db *d, const char *name, uint64_t *value, bool *found);
int store_put_meta(struct store_db *d, const char *name, uint64_t value);

#endif
