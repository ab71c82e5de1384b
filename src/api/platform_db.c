/* SQLite underneath the agent platform's records; see platform_db.h. */
#include "api/platform_db.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "fanfare/error.h"

#define BUSY_MS 5000 /* another process has the file: a copy is being made, perhaps */

/* Version 1. Numbers are never used twice, so that they can stand for a place in a list. */
static const char schema[] =
    "CREATE TABLE project("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL,"
    " repository_url TEXT,"
    " repository TEXT," /* the same in one form for all its spellings */
    " status TEXT NOT NULL,"
    " created_at INTEGER NOT NULL,"
    " updated_at INTEGER NOT NULL,"
    " updated_by TEXT NOT NULL,"
    " version INTEGER NOT NULL);"
    "CREATE INDEX project_repository ON project(repository) WHERE repository IS NOT NULL;"
    "CREATE TABLE report("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " kind TEXT NOT NULL,"
    " id TEXT NOT NULL,"
    " data TEXT NOT NULL,"
    " updated_at INTEGER NOT NULL,"
    " UNIQUE(kind, id));"
    "CREATE INDEX report_order ON report(kind, number);"
    "CREATE TABLE delivery("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT NOT NULL UNIQUE,"
    " received_at INTEGER NOT NULL);"
    "PRAGMA user_version = 1;";

static int note_problem(struct platform_db *db)
{
    buf_clear(&db->problem);
    buf_append_text(&db->problem, sqlite3_errmsg(db->handle));
    return FAN_E_IO;
}

const char *platform_db_problem(struct platform_db *db)
{
    return buf_text(&db->problem);
}

/* ---- Opening ---- */

static int make_directory(struct platform_db *db, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return 0;
    char *directory = memory_copy_string(slice_of(path, (size_t)(slash - path)));
    int error = 0;
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        buf_printf(&db->problem, "the data directory %s cannot be made: %s", directory,
                   strerror(errno));
        error = FAN_E_IO;
    }
    memory_free(directory);
    return error;
}

static int execute(struct platform_db *db, const char *sql)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : note_problem(db);
}

/* Whoever comes second, in another process, finds the tables made. */
static int make_tables(struct platform_db *db)
{
    int version = 0;
    int error = execute(db, "BEGIN IMMEDIATE");
    if (error)
        return error;
    sqlite3_stmt *statement = platform_db_statement(db, "PRAGMA user_version");
    if (platform_db_step(db, statement) == 1)
        version = sqlite3_column_int(statement, 0);
    platform_db_reset(statement);
    if (version == 0)
        error = execute(db, schema);
    if (version > 1) {
        buf_clear(&db->problem);
        buf_printf(&db->problem,
                   "the database is of a newer version of this program (%d; this one knows 1)",
                   version);
        error = FAN_E_UNSUPPORTED;
    }
    if (!error)
        return platform_db_commit(db);
    platform_db_rollback(db);
    return error;
}

/* A commit is on the disk before its event is shown; WAL, so that copies can be made meanwhile. */
static int prepare(struct platform_db *db)
{
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    sqlite3_extended_result_codes(db->handle, 1);
    int error = execute(db, "PRAGMA journal_mode = WAL");
    if (!error)
        error = execute(db, "PRAGMA synchronous = FULL");
    if (!error)
        error = make_tables(db);
    return error;
}

int platform_db_open(struct platform_db *db, const char *path)
{
    buf_clear(&db->problem);
    int error = path ? make_directory(db, path) : 0;
    if (error)
        return error;
    if (sqlite3_open_v2(path ? path : ":memory:", &db->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) == SQLITE_OK)
        error = prepare(db);
    else
        error = db->handle ? note_problem(db) : FAN_E_NO_MEMORY;
    if (!error)
        return 0;
    struct buf problem = {0};
    buf_printf(&problem, "%s: %s", path ? path : "database", buf_text(&db->problem));
    platform_db_close(db);
    db->problem = problem;
    return error;
}

void platform_db_close(struct platform_db *db)
{
    for (int i = 0; i < PLATFORM_STATEMENTS; i++)
        sqlite3_finalize(db->statements[i].statement);
    sqlite3_close(db->handle);
    buf_fini(&db->problem);
    *db = (struct platform_db){0};
}

/* ---- Statements ---- */

sqlite3_stmt *platform_db_statement(struct platform_db *db, const char *sql)
{
    int i = 0;
    while (i < PLATFORM_STATEMENTS - 1 && db->statements[i].sql && db->statements[i].sql != sql)
        i++;
    if (db->statements[i].sql == sql)
        return db->statements[i].statement;
    sqlite3_finalize(db->statements[i].statement); /* of the last place, when all are taken */
    db->statements[i].sql = NULL;
    db->statements[i].statement = NULL;
    if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                           &db->statements[i].statement, NULL) != SQLITE_OK) {
        note_problem(db);
        return NULL;
    }
    db->statements[i].sql = sql;
    return db->statements[i].statement;
}

void platform_db_bind_text(sqlite3_stmt *statement, int at, struct slice text)
{
    if (text.ptr)
        sqlite3_bind_text64(statement, at, text.ptr, text.len, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(statement, at);
}

void platform_db_bind_number(sqlite3_stmt *statement, int at, int64_t number)
{
    sqlite3_bind_int64(statement, at, number);
}

int platform_db_step(struct platform_db *db, sqlite3_stmt *statement)
{
    int result = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    if (result == SQLITE_ROW)
        return 1;
    int error = 0;
    if (result != SQLITE_DONE) {
        error = result == SQLITE_CONSTRAINT_UNIQUE ? FAN_E_EXISTS : FAN_E_IO;
        if (statement)
            note_problem(db);
    }
    platform_db_reset(statement);
    return error;
}

void platform_db_reset(sqlite3_stmt *statement)
{
    if (!statement)
        return;
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

struct slice platform_db_text(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    return slice_of((const char *)text, (size_t)sqlite3_column_bytes(statement, column));
}

int platform_db_run(struct platform_db *db, sqlite3_stmt *statement)
{
    int result = platform_db_step(db, statement);
    if (result == 1)
        platform_db_reset(statement);
    return result == 1 ? 0 : result;
}

/* ---- Transactions ---- */

int platform_db_begin(struct platform_db *db)
{
    return platform_db_run(db, platform_db_statement(db, "BEGIN IMMEDIATE"));
}

int platform_db_commit(struct platform_db *db)
{
    int error = platform_db_run(db, platform_db_statement(db, "COMMIT"));
    if (error)
        platform_db_rollback(db);
    return error;
}

void platform_db_rollback(struct platform_db *db)
{
    struct buf problem = db->problem; /* what it is rolled back for */
    db->problem = (struct buf){0};
    if (!sqlite3_get_autocommit(db->handle))
        platform_db_run(db, platform_db_statement(db, "ROLLBACK"));
    buf_fini(&db->problem);
    db->problem = problem;
}
