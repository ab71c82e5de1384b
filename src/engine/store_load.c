/*
 * The start: from the database to the hub. All topics come back as objects; of their events as many
 * of the newest as memory has room for, and the ids that must still be known.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "engine/store.h"
#include "engine/store_schema.h"
#include "fanfare/error.h"
#include "hub/event_validate.h"

/* Why the database cannot be loaded, and what to do. FAN_E_IO. */
static int refuse(struct store *s, int code, struct buf *why)
{
    buf_printf(why, "%s: %s (%s)", s->path, store_error_text(code), sqlite3_errstr(code));
    if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB)
        BUF_LITERAL(why, "; `fanfare store check` says what is left of it, and `fanfare store "
                         "export` saves that. Move it away to begin with an empty one: clients "
                         "are told that the log was lost");
    return FAN_E_IO;
}

/* ---- Topics ---- */

struct stored_topic *store_topic(struct store *s, uint64_t id, struct topic *topic)
{
    if (id == 0)
        id = s->next_id;
    if (id >= s->topic_cap) {
        size_t cap = s->topic_cap ? s->topic_cap * 2 : 64;
        while (cap <= id)
            cap *= 2;
        s->topics = memory_realloc(s->topics, cap * sizeof(struct stored_topic *));
        memset(s->topics + s->topic_cap, 0, (cap - s->topic_cap) * sizeof(struct stored_topic *));
        s->topic_cap = cap;
    }
    if (s->topics[id])
        return s->topics[id];
    struct stored_topic *t = memory_zero(sizeof *t);
    t->topic = topic_ref(topic);
    t->id = id;
    t->first_offset = 1;
    t->birth_seq = topic->birth_seq;
    s->topics[id] = t;
    s->next_id = id >= s->next_id ? id + 1 : s->next_id;
    atomic_store_explicit(&topic->store_id, id, memory_order_relaxed);
    return t;
}

/* Adds what the runs behind the topic's row tell. */
static int read_tail(struct store *s, struct topic_record *record, uint64_t *bytes)
{
    sqlite3_stmt *q = store_db_get(&s->db, STORE_RUNS_UP);
    if (!q)
        return SQLITE_ERROR;
    sqlite3_bind_int64(q, 1, store_run_id(record->store_id, record->offset + 1));
    sqlite3_bind_int64(q, 2, store_run_id(record->store_id, STORE_OFFSET_MAX));
    int code;
    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        record->offset = store_run_offset(sqlite3_column_int64(q, 0)) + store_column(q, 1) - 1;
        record->last_seq = store_column(q, 3);
        *bytes += store_column(q, 5);
    }
    sqlite3_reset(q);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static void note_topic(struct store *s, const struct topic_record *record, uint64_t row_offset,
                       uint64_t bytes, uint64_t state_offset, struct topic *topic)
{
    struct stored_topic *t = store_topic(s, record->store_id, topic);
    t->has_row = true;
    t->row_offset = row_offset;
    t->offset = record->offset;
    t->first_offset = record->first_offset;
    t->birth_seq = record->birth_seq;
    t->last_seq = record->last_seq;
    t->trimmed_seq = record->trimmed_seq;
    t->bytes = bytes;
    t->state_offset = state_offset;
}

/* Topics of kinds that are not durable any more: what they have on disk would be a part of their
 * log only, once they are durable again. */
int store_delete_topic(struct store *s, uint64_t id)
{
    sqlite3_stmt *q = store_db_get(&s->db, STORE_DELETE_RUNS);
    if (!q)
        return SQLITE_ERROR;
    sqlite3_bind_int64(q, 1, store_run_id(id, 0));
    sqlite3_bind_int64(q, 2, store_run_id(id, STORE_OFFSET_MAX));
    int code = store_db_run(&s->db, q);
    q = code == SQLITE_OK ? store_db_get(&s->db, STORE_DELETE_TOPIC) : NULL;
    if (!q)
        return code == SQLITE_OK ? SQLITE_ERROR : code;
    sqlite3_bind_int64(q, 1, (sqlite3_int64)id);
    return store_db_run(&s->db, q);
}

static int load_topic(struct store *s, sqlite3_stmt *q, struct buf *why)
{
    struct topic_name name;
    const char *wrong = "it is out of range";
    struct topic_record record = {
        .name = store_column_text(q, 1),
        .store_id = store_column(q, 0),
        .epoch = store_column(q, 2),
        .offset = store_column(q, 3),
        .first_offset = store_column(q, 4),
        .birth_seq = store_column(q, 5),
        .last_seq = store_column(q, 6),
        .trimmed_seq = store_column(q, 7),
    };
    uint64_t row_offset = record.offset, bytes = store_column(q, 8);
    struct topic *topic;
    if (record.store_id == 0 || record.store_id > STORE_TOPIC_MAX ||
        topic_name_parse(record.name, &name, &wrong) != 0) {
        buf_printf(why, "%s: the database is damaged: topic %llu: %s", s->path,
                   (unsigned long long)record.store_id, wrong);
        return FAN_E_IO;
    }
    bool durable = s->options.kinds[name.kind].durable;
    int code = durable ? read_tail(s, &record, &bytes) : store_delete_topic(s, record.store_id);
    if (code != SQLITE_OK)
        return refuse(s, code, why);
    if (!durable)
        return 0;
    int error = hub_restore_topic(s->engine.hub, &record, &topic);
    if (error) {
        buf_printf(why, "%s: topic %.*s cannot be loaded: %s", s->path, SLICE_ARG(record.name),
                   fan_error_text(error));
        return error;
    }
    note_topic(s, &record, row_offset, bytes, store_column(q, 9), topic);
    return 0;
}

static int load_topics(struct store *s, struct buf *why)
{
    sqlite3_stmt *q = store_db_get(&s->db, STORE_EACH_TOPIC);
    int code = q ? SQLITE_OK : SQLITE_ERROR, error = 0;
    while (q && !error && (code = sqlite3_step(q)) == SQLITE_ROW)
        error = load_topic(s, q, why);
    sqlite3_reset(q);
    return error || code == SQLITE_DONE ? error : refuse(s, code, why);
}

/* ---- The node ---- */

/* The kernel's id of this run of the machine; 0 where there is none. */
static uint64_t boot_id(void)
{
    char text[37] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    uint64_t id = 0;
    for (size_t i = 0; i < n; i++)
        id = id * 31 + (unsigned char)text[i];
    return id;
}

struct node_rows {
    uint64_t epoch, seq, clean, boot, relaxed;
    bool known;
};

static int read_node(struct store *s, struct node_rows *rows, struct node_record *node)
{
    const struct {
        const char *name;
        uint64_t *value;
    } fields[] = {{"epoch", &rows->epoch},
                  {"seq", &rows->seq},
                  {"clean", &rows->clean},
                  {"boot", &rows->boot},
                  {"relaxed", &rows->relaxed}};
    int code = SQLITE_OK;
    bool found = true;
    *rows = (struct node_rows){0};
    for (unsigned i = 0; code == SQLITE_OK && i < sizeof fields / sizeof *fields; i++) {
        code = store_get_meta(&s->db, fields[i].name, fields[i].value, &found);
        rows->known = i == 0 ? found : rows->known;
    }
    for (int kind = 0; code == SQLITE_OK && kind < TOPIC_KINDS; kind++) {
        char name[32];
        snprintf(name, sizeof name, "lost_seq.%d", kind);
        code = store_get_meta(&s->db, name, &node->lost_seq[kind], &found);
        snprintf(name, sizeof name, "lost_generation.%d", kind);
        if (code == SQLITE_OK)
            code = store_get_meta(&s->db, name, &node->lost_generation[kind], &found);
    }
    return code;
}

/* Commits that the disk was not asked for may be gone after the end of the machine: offsets would
 * be given out a second time. */
static bool may_have_lost(const struct node_rows *rows)
{
    return rows->known && !rows->clean && rows->relaxed &&
           (rows->boot == 0 || rows->boot != boot_id());
}

static int renew_epochs(struct store *s, struct node_record *node)
{
    log_warn("store", "the machine went down while commits were not forced to the disk "
                      "(store.synchronous): the newest events may be lost, so all topics begin a "
                      "new epoch");
    node->epoch = random_u64();
    return sqlite3_exec(s->db.db, "UPDATE topics SET epoch = random()", NULL, NULL, NULL);
}

int store_put_lost(struct store *s, const struct node_record *node)
{
    int code = SQLITE_OK;
    for (int kind = 0; code == SQLITE_OK && kind < TOPIC_KINDS; kind++) {
        char name[32];
        snprintf(name, sizeof name, "lost_seq.%d", kind);
        code = store_put_meta(&s->db, name, node->lost_seq[kind]);
        snprintf(name, sizeof name, "lost_generation.%d", kind);
        if (code == SQLITE_OK)
            code = store_put_meta(&s->db, name, node->lost_generation[kind]);
    }
    return code;
}

static int write_node(struct store *s, const struct node_record *node)
{
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {{"epoch", node->epoch},
                  {"seq", s->reserved_seq},
                  {"clean", 0},
                  {"boot", boot_id()},
                  {"relaxed", s->options.synchronous != STORE_SYNC_FULL}};
    int code = SQLITE_OK;
    for (unsigned i = 0; code == SQLITE_OK && i < sizeof fields / sizeof *fields; i++)
        code = store_put_meta(&s->db, fields[i].name, fields[i].value);
    return code == SQLITE_OK ? store_put_lost(s, node) : code;
}

/* Logs of topics that are kept in memory ended with the last process. */
static void note_lost(struct store *s, struct node_record *node)
{
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        if (!s->options.kinds[kind].durable) {
            node->lost_seq[kind] = node->seq;
            node->lost_generation[kind]++;
        }
}

static int load_node(struct store *s)
{
    struct node_rows rows;
    struct node_record node = {0}, fresh;
    hub_get_node(s->engine.hub, &fresh);
    int code = read_node(s, &rows, &node);
    if (code != SQLITE_OK)
        return code;
    node.epoch = rows.known ? rows.epoch : fresh.epoch;
    node.seq = rows.seq;
    if (may_have_lost(&rows))
        code = renew_epochs(s, &node);
    if (rows.known)
        note_lost(s, &node);
    s->reserved_seq = node.seq + STORE_SEQ_STEP;
    if (code == SQLITE_OK)
        code = write_node(s, &node);
    if (code == SQLITE_OK)
        hub_restore_node(s->engine.hub, &node);
    return code;
}

/* ---- Both, in one transaction ---- */

/* That the store is in use from here on has to be known after the end of the machine, or nobody
 * would ask whether events were lost: this commit is forced to the disk in any case. */
static int load_rows(struct store *s, struct buf *why)
{
    int code = store_db_synchronous(&s->db, STORE_SYNC_FULL);
    if (code == SQLITE_OK)
        code = store_db_run(&s->db, store_db_get(&s->db, STORE_BEGIN));
    if (code == SQLITE_OK)
        code = load_node(s);
    if (code == SQLITE_OK) {
        int error = load_topics(s, why);
        if (error)
            return error;
        code = store_db_run(&s->db, store_db_get(&s->db, STORE_COMMIT));
    }
    if (code == SQLITE_OK)
        code = store_db_synchronous(&s->db, s->options.synchronous);
    return code == SQLITE_OK ? 0 : refuse(s, code, why);
}

int store_load(struct store *s, struct buf *why)
{
    s->next_id = 1;
    int error = load_rows(s, why);
    if (!error)
        error = store_load_events(s, why);
    return error;
}
