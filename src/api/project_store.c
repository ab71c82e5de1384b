/* Projects in the platform's database; see project_store.h. */
#include "api/project_store.h"

#include "api/repository_url.h"
#include "fanfare/error.h"

#define COLUMNS \
    "number, id, name, repository_url, status, created_at, updated_at, updated_by, version"

void project_fini(struct project *p)
{
    buf_fini(&p->name);
    buf_fini(&p->status);
    buf_fini(&p->updated_by);
    buf_fini(&p->repository_url);
}

static void set_text(struct buf *to, sqlite3_stmt *row, int column)
{
    buf_clear(to);
    buf_append_slice(to, platform_db_text(row, column));
}

static void read_row(struct project *p, sqlite3_stmt *row)
{
    p->number = sqlite3_column_int64(row, 0);
    platform_parse_id(platform_db_text(row, 1), p->id);
    set_text(&p->name, row, 2);
    set_text(&p->repository_url, row, 3);
    set_text(&p->status, row, 4);
    p->created_ms = sqlite3_column_int64(row, 5);
    p->updated_ms = sqlite3_column_int64(row, 6);
    set_text(&p->updated_by, row, 7);
    p->version = sqlite3_column_int64(row, 8);
}

int project_find(struct platform_db *db, const char *id, struct project *p)
{
    *p = (struct project){0};
    sqlite3_stmt *row = platform_db_statement(db, "SELECT " COLUMNS " FROM project WHERE id = ?1");
    platform_db_bind_text(row, 1, slice_from(id));
    int result = platform_db_step(db, row);
    if (result != 1)
        return result ? result : FAN_E_NOT_FOUND;
    read_row(p, row);
    platform_db_reset(row);
    return 0;
}

static int count_projects(struct platform_db *db, int64_t *count)
{
    sqlite3_stmt *row = platform_db_statement(db, "SELECT count(*) FROM project");
    int result = platform_db_step(db, row);
    if (result != 1)
        return result ? result : FAN_E_IO;
    *count = sqlite3_column_int64(row, 0);
    platform_db_reset(row);
    return 0;
}

/* Null when there is none. */
static struct slice url_of(const struct project *p)
{
    return p->repository_url.len ? buf_slice(&p->repository_url) : slice_of(NULL, 0);
}

/* Binds name, repository_url, repository, status, updated_at, updated_by as 2 to 7. repository is
 * the storage of the fourth. */
static void bind_fields(sqlite3_stmt *row, const struct project *p, struct buf *repository)
{
    bool known = p->repository_url.len &&
                 repository_url_append(repository, buf_slice(&p->repository_url)) == 0;
    platform_db_bind_text(row, 2, buf_slice(&p->name));
    platform_db_bind_text(row, 3, url_of(p));
    platform_db_bind_text(row, 4, known ? buf_slice(repository) : slice_of(NULL, 0));
    platform_db_bind_text(row, 5, buf_slice(&p->status));
    platform_db_bind_number(row, 6, p->updated_ms);
    platform_db_bind_text(row, 7, buf_slice(&p->updated_by));
}

int project_insert(struct platform_db *db, struct project *p)
{
    struct buf repository = {0};
    int64_t count;
    int error = count_projects(db, &count);
    if (!error && count >= PROJECTS_MAX)
        error = FAN_E_LIMIT;
    if (error)
        return error;
    sqlite3_stmt *row = platform_db_statement(
        db, "INSERT INTO project(id, name, repository_url, repository, status, updated_at,"
            " updated_by, created_at, version) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, 1)");
    platform_db_bind_text(row, 1, slice_from(p->id));
    bind_fields(row, p, &repository);
    error = platform_db_run(db, row);
    buf_fini(&repository);
    p->number = sqlite3_last_insert_rowid(db->handle);
    p->version = 1;
    return error;
}

int project_update(struct platform_db *db, struct project *p)
{
    struct buf repository = {0};
    sqlite3_stmt *row = platform_db_statement(
        db, "UPDATE project SET name = ?2, repository_url = ?3, repository = ?4, status = ?5,"
            " updated_at = ?6, updated_by = ?7, version = version + 1 WHERE id = ?1");
    platform_db_bind_text(row, 1, slice_from(p->id));
    bind_fields(row, p, &repository);
    int error = platform_db_run(db, row);
    buf_fini(&repository);
    p->version++;
    return error;
}

int project_delete(struct platform_db *db, const char *id)
{
    sqlite3_stmt *row = platform_db_statement(db, "DELETE FROM project WHERE id = ?1");
    platform_db_bind_text(row, 1, slice_from(id));
    return platform_db_run(db, row);
}

int project_each(struct platform_db *db, int64_t after,
                 bool (*each)(void *arg, const struct project *p), void *arg)
{
    struct project p = {0};
    bool more = true;
    int result = 0;
    sqlite3_stmt *row = platform_db_statement(
        db, "SELECT " COLUMNS " FROM project WHERE number > ?1 ORDER BY number");
    platform_db_bind_number(row, 1, after);
    while (more && (result = platform_db_step(db, row)) == 1) {
        read_row(&p, row);
        more = each(arg, &p);
    }
    if (result == 1)
        platform_db_reset(row);
    project_fini(&p);
    return result < 0 ? result : 0;
}

int project_find_repository(struct platform_db *db, struct slice repository, unsigned most,
                            struct buf *ids, unsigned *count)
{
    int result;
    sqlite3_stmt *row = platform_db_statement(
        db, "SELECT id FROM project WHERE repository = ?1 ORDER BY number LIMIT ?2");
    platform_db_bind_text(row, 1, repository);
    platform_db_bind_number(row, 2, most);
    for (*count = 0; (result = platform_db_step(db, row)) == 1; ++*count) {
        buf_append_slice(ids, platform_db_text(row, 0));
        buf_append_char(ids, '\0');
    }
    return result;
}
