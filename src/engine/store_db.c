/* Connections to the database; see store_db.h. */
#include "engine/store_db.h"

#include "engine/store_schema.h"
#include "fanfare/error.h"

/* Pages in the page cache of the writer; of each reader a quarter. */
#define CACHE_KIB 16384

#define RUN_COLUMNS "id, count, first_seq, last_seq, accepted_ms, bytes"

static const char *const texts[STORE_STATEMENTS] = {
    [STORE_BEGIN] = "BEGIN IMMEDIATE",
    [STORE_COMMIT] = "COMMIT",
    [STORE_ROLLBACK] = "ROLLBACK",
    [STORE_PUT_META] = "INSERT OR REPLACE INTO meta(name, value) VALUES(?, ?)",
    [STORE_GET_META] = "SELECT value FROM meta WHERE name = ?",
    [STORE_PUT_TOPIC] =
        "INSERT INTO topics(id, name, epoch, offset, first_offset, birth_seq, last_seq, "
        "trimmed_seq, bytes) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(id) DO UPDATE "
        "SET epoch = ?3, offset = ?4, first_offset = ?5, birth_seq = ?6, last_seq = ?7, "
        "trimmed_seq = ?8, bytes = ?9",
    [STORE_PUT_STATE] = "UPDATE topics SET state_offset = ?2, state = ?3 WHERE id = ?1",
    [STORE_GET_STATE] = "SELECT state_offset, state FROM topics WHERE id = ?",
    [STORE_DELETE_TOPIC] = "DELETE FROM topics WHERE id = ?",
    [STORE_EACH_TOPIC] = "SELECT id, name, epoch, offset, first_offset, birth_seq, last_seq, "
                         "trimmed_seq, bytes, state_offset FROM topics ORDER BY id",
    [STORE_PUT_RUN] = "INSERT INTO runs(" RUN_COLUMNS ", data) VALUES(?, ?, ?, ?, ?, ?, ?)",
    [STORE_DELETE_RUNS] = "DELETE FROM runs WHERE id BETWEEN ? AND ?",
    [STORE_RUNS_UP] = "SELECT " RUN_COLUMNS " FROM runs WHERE id BETWEEN ? AND ? ORDER BY id",
    [STORE_RUNS_DOWN] =
        "SELECT " RUN_COLUMNS " FROM runs WHERE id BETWEEN ? AND ? ORDER BY id DESC",
    [STORE_RUN_DATA] = "SELECT data FROM runs WHERE id = ?",
    [STORE_PUT_NOTE] = "INSERT OR REPLACE INTO notes(name, value) VALUES(?, ?)",
    [STORE_DELETE_NOTE] = "DELETE FROM notes WHERE name = ?",
    [STORE_EACH_NOTE] = "SELECT name, value FROM notes WHERE name >= ? AND name < ? ORDER BY name",
};

static const char *const synchronous_names[] = {
    [STORE_SYNC_FULL] = "FULL",
    [STORE_SYNC_NORMAL] = "NORMAL",
    [STORE_SYNC_OFF] = "OFF",
};

const char *store_error_text(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return "the disk is full";
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return "the database cannot be written: it or its file system is read-only";
    case SQLITE_IOERR:
        return "the disk reports an input/output error";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "the database is damaged";
    case SQLITE_CANTOPEN:
        return "the database cannot be opened";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another program holds the database locked";
    case SQLITE_NOMEM:
        return "out of memory";
    case SQLITE_TOOBIG:
        return "an event is larger than the database can hold";
    default:
        return "the database refused the write";
    }
}

static int configure(struct store_db *d, bool read_only, enum store_synchronous synchronous)
{
    char sql[256];
    sqlite3_extended_result_codes(d->db, 1);
    sqlite3_busy_timeout(d->db, STORE_BUSY_MS);
    /* The size of pages can be chosen only before there are any; the log's own checkpoints would
     * stand in the way of a commit. */
    sqlite3_snprintf(sizeof sql, sql,
                     "PRAGMA page_size = %d; PRAGMA cache_size = -%d; PRAGMA temp_store = MEMORY; "
                     "%sPRAGMA synchronous = %s; PRAGMA journal_size_limit = 67108864;",
                     STORE_PAGE_BYTES, read_only ? CACHE_KIB / 4 : CACHE_KIB,
                     read_only ? "" : "PRAGMA journal_mode = WAL; ",
                     synchronous_names[synchronous]);
    return sqlite3_exec(d->db, sql, NULL, NULL, NULL);
}

int store_db_open(struct store_db *d, const char *path, bool read_only,
                  enum store_synchronous synchronous, struct buf *why)
{
    int flags = SQLITE_OPEN_NOMUTEX |
                (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    *d = (struct store_db){0};
    int error = FAN_E_IO;
    int code = sqlite3_open_v2(path, &d->db, flags, NULL);
    if (code == SQLITE_OK)
        code = configure(d, read_only, synchronous);
    if (code == SQLITE_OK) {
        buf_printf(why, "%s: ", path);
        error = read_only ? 0 : store_migrate(d->db, why);
        if (!error)
            buf_clear(why);
    } else {
        buf_printf(why, "%s: %s (%s)", path, store_error_text(code),
                   d->db ? sqlite3_errmsg(d->db) : sqlite3_errstr(code));
    }
    if (error)
        store_db_close(d);
    return error;
}

int store_db_synchronous(struct store_db *d, enum store_synchronous synchronous)
{
    char sql[40];
    sqlite3_snprintf(sizeof sql, sql, "PRAGMA synchronous = %s", synchronous_names[synchronous]);
    return sqlite3_exec(d->db, sql, NULL, NULL, NULL);
}

void store_db_close(struct store_db *d)
{
    for (int i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_finalize(d->statements[i]);
    sqlite3_close(d->db);
    *d = (struct store_db){0};
}

sqlite3_stmt *store_db_get(struct store_db *d, enum store_statement which)
{
    sqlite3_stmt **statement = &d->statements[which];
    if (!*statement)
        sqlite3_prepare_v3(d->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    else
        sqlite3_reset(*statement);
    return *statement;
}

int store_db_run(struct store_db *d, sqlite3_stmt *statement)
{
    if (!statement)
        return sqlite3_extended_errcode(d->db);
    int code = sqlite3_step(statement);
    if (code == SQLITE_DONE || code == SQLITE_ROW)
        code = SQLITE_OK;
    else
        code = sqlite3_extended_errcode(d->db);
    sqlite3_reset(statement);
    return code;
}

int store_get_meta(struct store_db *d, const char *name, uint64_t *value, bool *found)
{
    sqlite3_stmt *s = store_db_get(d, STORE_GET_META);
    *found = false;
    if (!s)
        return sqlite3_extended_errcode(d->db);
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        *value = (uint64_t)sqlite3_column_int64(s, 0);
        *found = true;
    }
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        code = SQLITE_OK;
    sqlite3_reset(s);
    return code;
}

int store_put_meta(struct store_db *d, const char *name, uint64_t value)
{
    sqlite3_stmt *s = store_db_get(d, STORE_PUT_META);
    if (!s)
        return sqlite3_extended_errcode(d->db);
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)value);
    return store_db_run(d, s);
}
