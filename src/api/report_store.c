/* Reports and deliveries in the platform's database; see report_store.h. */
#include "api/report_store.h"

#include "fanfare/error.h"

/* How often old ones are looked for: every so many new ones. */
#define TRIM_EVERY 64

int report_find(struct platform_db *db, const char *kind, const char *id, struct buf *data,
                int64_t *updated_ms)
{
    sqlite3_stmt *row = platform_db_statement(
        db, "SELECT data, updated_at FROM report WHERE kind = ?1 AND id = ?2");
    platform_db_bind_text(row, 1, slice_from(kind));
    platform_db_bind_text(row, 2, slice_from(id));
    int result = platform_db_step(db, row);
    if (result != 1)
        return result ? result : FAN_E_NOT_FOUND;
    buf_append_slice(data, platform_db_text(row, 0));
    *updated_ms = sqlite3_column_int64(row, 1);
    platform_db_reset(row);
    return 0;
}

static int trim_reports(struct platform_db *db, const char *kind)
{
    sqlite3_stmt *row = platform_db_statement(
        db, "DELETE FROM report WHERE kind = ?1 AND number <= (SELECT number FROM report"
            " WHERE kind = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)");
    platform_db_bind_text(row, 1, slice_from(kind));
    platform_db_bind_number(row, 2, REPORTS_MAX);
    return platform_db_run(db, row);
}

int report_put(struct platform_db *db, const char *kind, const char *id, struct slice data,
               int64_t now_ms)
{
    sqlite3_stmt *row = platform_db_statement(
        db, "INSERT OR REPLACE INTO report(kind, id, data, updated_at) VALUES(?1, ?2, ?3, ?4)");
    platform_db_bind_text(row, 1, slice_from(kind));
    platform_db_bind_text(row, 2, slice_from(id));
    platform_db_bind_text(row, 3, data);
    platform_db_bind_number(row, 4, now_ms);
    int error = platform_db_run(db, row);
    if (!error && sqlite3_last_insert_rowid(db->handle) % TRIM_EVERY == 0)
        error = trim_reports(db, kind);
    return error;
}

int report_each(struct platform_db *db, const char *kind, int64_t before,
                bool (*each)(void *arg, int64_t number, struct slice data, int64_t updated_ms),
                void *arg)
{
    int result = 0;
    bool more = true;
    sqlite3_stmt *row = platform_db_statement(
        db, "SELECT number, data, updated_at FROM report WHERE kind = ?1 AND number < ?2"
            " ORDER BY number DESC");
    platform_db_bind_text(row, 1, slice_from(kind));
    platform_db_bind_number(row, 2, before ? before : INT64_MAX);
    while (more && (result = platform_db_step(db, row)) == 1)
        more = each(arg, sqlite3_column_int64(row, 0), platform_db_text(row, 1),
                    sqlite3_column_int64(row, 2));
    if (result == 1)
        platform_db_reset(row);
    return result < 0 ? result : 0;
}

static int trim_deliveries(struct platform_db *db, int64_t newest)
{
    sqlite3_stmt *row = platform_db_statement(db, "DELETE FROM delivery WHERE number <= ?1");
    platform_db_bind_number(row, 1, newest - DELIVERIES_MAX);
    return platform_db_run(db, row);
}

int delivery_note(struct platform_db *db, struct slice id, int64_t now_ms)
{
    sqlite3_stmt *row =
        platform_db_statement(db, "INSERT INTO delivery(id, received_at) VALUES(?1, ?2)");
    platform_db_bind_text(row, 1, id);
    platform_db_bind_number(row, 2, now_ms);
    int error = platform_db_run(db, row);
    int64_t number = sqlite3_last_insert_rowid(db->handle);
    if (!error && number % TRIM_EVERY == 0)
        error = trim_deliveries(db, number);
    return error;
}
