/*
 * The agent platform's database: projects, what agents, workflows and models last reported, and the
 * webhook deliveries that were seen. One SQLite connection, used by one thread (platform.h).
 *
 * Functions return 0 or a negative fan_error; FAN_E_IO says that the database failed, and
 * platform_db_problem why.
 */
#ifndef API_PLATFORM_DB_H
#define API_PLATFORM_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define PLATFORM_STATEMENTS 32

struct platform_db {
    sqlite3 *handle; /* NULL: closed */
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } statements[PLATFORM_STATEMENTS]; /* prepared once each */
    struct buf problem;
};

/* Opens the file, making it and its directory when they are missing; path NULL: in memory. On
 * failure *db stays closed. */
int platform_db_open(struct platform_db *db, const char *path);
void platform_db_close(struct platform_db *db);

/* A statement, ready to be bound: the literal is its key. NULL: it cannot be prepared. It is over
 * with platform_db_step's 0 or an error, or with platform_db_reset. */
sqlite3_stmt *platform_db_statement(struct platform_db *db, const char *sql);
/* text must stay until the statement is over; with a NULL pointer: null. */
void platform_db_bind_text(sqlite3_stmt *statement, int at, struct slice text);
void platform_db_bind_number(sqlite3_stmt *statement, int at, int64_t number);

/* 1: there is a row; 0: it is done; FAN_E_EXISTS: a unique value is taken; FAN_E_IO. NULL is
 * FAN_E_IO. */
int platform_db_step(struct platform_db *db, sqlite3_stmt *statement);
void platform_db_reset(sqlite3_stmt *statement);

/* Valid until the next step. */
struct slice platform_db_text(sqlite3_stmt *statement, int column);

/* Steps a statement that has no rows. */
int platform_db_run(struct platform_db *db, sqlite3_stmt *statement);

/* A transaction. After a failed begin nothing is to be ended; a failed commit has undone all. */
int platform_db_begin(struct platform_db *db);
int platform_db_commit(struct platform_db *db);
void platform_db_rollback(struct platform_db *db);

const char *platform_db_problem(struct platform_db *db);

#endif
