/*
 * Notes: what others want to know after a restart, small texts by name, written with the events of
 * the same commit. One that cannot be written is copied and tried again with each later commit, so
 * that its owner need not wait for the disk to come back.
 */
#include "base/memory.h"
#include "engine/store.h"
#include "fanfare/error.h"

/* What waits for the disk, and what could not be written, is bounded: more is not kept. */
#define NOTES_BYTES (UINT64_C(16) << 20)

/* A commit takes so many new ones at most: thousands come when clients return to a server that was
 * started anew, and publishers should not wait for all of them. */
#define COMMIT_NOTES 1024

/* A name's newest value, which is not on the disk yet. */
struct unwritten_note {
    struct slice name, value; /* in text */
    char text[];
};

static struct slice unwritten_name(const void *object)
{
    return ((const struct unwritten_note *)object)->name;
}

void store_notes_init(struct store *s)
{
    s->notes_end = &s->notes;
    map_init(&s->unwritten, unwritten_name);
}

static uint64_t size_of(struct slice name, struct slice value)
{
    return sizeof(struct unwritten_note) + name.len + value.len;
}

static void forget_unwritten(struct store *s)
{
    MAP_EACH (i, &s->unwritten)
        memory_free(s->unwritten.slots[i].object);
    map_fini(&s->unwritten);
    map_init(&s->unwritten, unwritten_name);
    s->unwritten_bytes = 0;
}

void store_notes_fini(struct store *s)
{
    forget_unwritten(s);
    map_fini(&s->unwritten);
}

/* ---- In ---- */

void store_keep(struct engine *engine, struct note *note)
{
    struct store *s = (struct store *)engine;
    uint64_t bytes = size_of(note->name, note->value);
    note->next = NULL;
    pthread_mutex_lock(&s->lock);
    bool fits = s->notes_bytes == 0 || s->notes_bytes + bytes <= NOTES_BYTES;
    if (fits) {
        *s->notes_end = note;
        s->notes_end = &note->next;
        s->notes_bytes += bytes;
        pthread_cond_signal(&s->wanted);
    }
    pthread_mutex_unlock(&s->lock);
    if (!fits)
        note->done(note);
}

void store_take_notes(struct store *s)
{
    struct note **end = &s->notes;
    for (unsigned n = 0; n < COMMIT_NOTES && *end; n++) {
        s->notes_bytes -= size_of((*end)->name, (*end)->value);
        end = &(*end)->next;
    }
    struct note *rest = *end;
    *end = NULL;
    s->writing = s->notes;
    s->notes = rest;
    if (!rest)
        s->notes_end = &s->notes;
}

/* ---- To the disk ---- */

bool store_has_notes(const struct store *s)
{
    return s->writing || s->unwritten.count;
}

static int write_note(struct store *s, struct slice name, struct slice value)
{
    sqlite3_stmt *q = store_db_get(&s->db, value.len ? STORE_PUT_NOTE : STORE_DELETE_NOTE);
    if (!q)
        return sqlite3_extended_errcode(s->db.db);
    sqlite3_bind_text(q, 1, name.ptr, (int)name.len, SQLITE_STATIC);
    if (value.len)
        sqlite3_bind_text(q, 2, value.ptr, (int)value.len, SQLITE_STATIC);
    return store_db_run(&s->db, q);
}

int store_write_notes(struct store *s)
{
    int code = SQLITE_OK;
    MAP_EACH (i, &s->unwritten) {
        const struct unwritten_note *u = s->unwritten.slots[i].object;
        code = code == SQLITE_OK ? write_note(s, u->name, u->value) : code;
    }
    for (const struct note *n = s->writing; code == SQLITE_OK && n; n = n->next)
        code = write_note(s, n->name, n->value);
    return code;
}

static void forget_before(struct store *s, struct slice name)
{
    struct unwritten_note *before = map_remove(&s->unwritten, name);
    if (before)
        s->unwritten_bytes -= size_of(before->name, before->value);
    memory_free(before);
}

/* Without memory, or with too many, the note is lost: what is on the disk stays as it was. */
static void keep_for_later(struct store *s, const struct note *n)
{
    uint64_t bytes = size_of(n->name, n->value);
    forget_before(s, n->name);
    struct unwritten_note *u =
        s->unwritten_bytes + bytes <= NOTES_BYTES ? memory_try_alloc(bytes) : NULL;
    if (!u)
        return;
    memcpy(u->text, n->name.ptr, n->name.len);
    memcpy(u->text + n->name.len, n->value.ptr, n->value.len);
    u->name = slice_of(u->text, n->name.len);
    u->value = slice_of(u->text + n->name.len, n->value.len);
    if (map_try_put(&s->unwritten, u) != 0)
        memory_free(u);
    else
        s->unwritten_bytes += bytes;
}

void store_finish_notes(struct store *s, int code)
{
    if (code == SQLITE_OK)
        forget_unwritten(s);
    while (s->writing) {
        struct note *n = s->writing;
        s->writing = n->next;
        if (code != SQLITE_OK)
            keep_for_later(s, n);
        n->done(n);
    }
}

/* ---- Back ---- */

static int read_notes(struct store_db *db, struct slice prefix, struct slice end,
                      void (*use)(void *arg, struct slice name, struct slice value), void *arg)
{
    sqlite3_stmt *q = store_db_get(db, STORE_EACH_NOTE);
    int code = SQLITE_ERROR;
    if (!q)
        return FAN_E_IO;
    sqlite3_bind_text(q, 1, prefix.ptr, (int)prefix.len, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, end.ptr, (int)end.len, SQLITE_STATIC);
    while ((code = sqlite3_step(q)) == SQLITE_ROW)
        use(arg, store_column_text(q, 0), store_column_text(q, 1));
    sqlite3_reset(q);
    return code == SQLITE_DONE ? 0 : FAN_E_IO;
}

int store_each_note(struct engine *engine, struct slice prefix,
                    void (*use)(void *arg, struct slice name, struct slice value), void *arg)
{
    const struct store *s = (const struct store *)engine;
    struct store_db db;
    struct buf end = {0}, why = {0};
    buf_append_slice(&end, prefix);
    buf_append_char(&end, '\xff'); /* behind all names that begin so: no text has that byte */
    int error = end.failed ? FAN_E_NO_MEMORY
                           : store_db_open(&db, s->path, true, s->options.synchronous, &why);
    if (!error) {
        error = read_notes(&db, prefix, buf_slice(&end), use, arg);
        store_db_close(&db);
    }
    buf_fini(&end);
    buf_fini(&why);
    return error;
}
