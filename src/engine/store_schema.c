/* The schema and its migrations; see store_schema.h. */
#include "engine/store_schema.h"

#include "fanfare/error.h"

static const char *const steps[] = {
    /* 1: the first. topics.offset is the newest event's as of when the row was written; runs may
     * go on behind it; bytes is the sum of its runs up to there. state is what
     * session_state_append_snapshot wrote, folded up to state_offset. trimmed_seq, first_offset:
     * what the log has lost to retention, and where it begins. */
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE topics("
    "  id INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL UNIQUE,"
    "  epoch INTEGER NOT NULL,"
    "  offset INTEGER NOT NULL,"
    "  first_offset INTEGER NOT NULL,"
    "  birth_seq INTEGER NOT NULL,"
    "  last_seq INTEGER NOT NULL,"
    "  trimmed_seq INTEGER NOT NULL,"
    "  bytes INTEGER NOT NULL,"
    "  state_offset INTEGER NOT NULL DEFAULT 0,"
    "  state BLOB);"
    "CREATE TABLE runs("
    "  id INTEGER PRIMARY KEY," /* store_run_id(topic, first_offset) */
    "  count INTEGER NOT NULL,"
    "  first_seq INTEGER NOT NULL,"
    "  last_seq INTEGER NOT NULL,"
    "  accepted_ms INTEGER NOT NULL," /* wall clock */
    "  bytes INTEGER NOT NULL,"       /* of the events, as retention counts them */
    "  data BLOB NOT NULL);",
    /* 2: what hub_keep was given. States have a checksum from here on; those without are made
     * again, of the events. */
    "UPDATE topics SET state = NULL, state_offset = 0;"
    "CREATE TABLE notes(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;",
};

unsigned store_schema_version(void)
{
    return sizeof steps / sizeof *steps;
}

static int read_pragma(sqlite3 *db, const char *sql, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? 0 : FAN_E_IO;
}

static int fail(sqlite3 *db, struct buf *why)
{
    buf_append_text(why, sqlite3_errmsg(db));
    return FAN_E_IO;
}

static int check_owner(sqlite3 *db, int64_t version, struct buf *why)
{
    int64_t owner, objects;
    if (read_pragma(db, "PRAGMA application_id", &owner) != 0 ||
        read_pragma(db, "SELECT count(*) FROM sqlite_schema", &objects) != 0)
        return fail(db, why);
    if (owner != STORE_APPLICATION_ID && (owner || objects)) {
        BUF_LITERAL(why, "it is a database of another program");
        return FAN_E_UNSUPPORTED;
    }
    if (version > store_schema_version()) {
        buf_printf(why,
                   "it was written by a newer Fanfare (schema version %lld; this one knows up to "
                   "%u): use that one, or another data directory",
                   (long long)version, store_schema_version());
        return FAN_E_UNSUPPORTED;
    }
    return 0;
}

int store_schema_check(sqlite3 *db, struct buf *why)
{
    int64_t version;
    if (read_pragma(db, "PRAGMA user_version", &version) != 0)
        return fail(db, why);
    int error = check_owner(db, version, why);
    if (!error && version < store_schema_version()) {
        BUF_LITERAL(why, "it is of an older version: a server brings it up to date when it starts");
        error = FAN_E_UNSUPPORTED;
    }
    return error;
}

int store_migrate(sqlite3 *db, struct buf *why)
{
    int64_t version;
    if (read_pragma(db, "PRAGMA user_version", &version) != 0)
        return fail(db, why);
    int error = check_owner(db, version, why);
    if (error || version == store_schema_version())
        return error;
    struct buf sql = {0};
    BUF_LITERAL(&sql, "BEGIN IMMEDIATE;");
    for (unsigned i = (unsigned)version; i < store_schema_version(); i++)
        buf_append_text(&sql, steps[i]);
    buf_printf(&sql, "PRAGMA application_id = %d; PRAGMA user_version = %u; COMMIT;",
               STORE_APPLICATION_ID, store_schema_version());
    error = sqlite3_exec(db, buf_text(&sql), NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(db, why);
    if (error)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    buf_fini(&sql);
    return error;
}
