/*
 * What the store's thread does beside commits: trimming logs, storing folded states, and taking
 * idle topics out of memory. Always in small steps, so that no publisher waits long for one.
 *
 * Logs are trimmed by whole runs. The hub has decided by then what is beyond a topic's count, and
 * what is too old or too much as far as memory reaches; age and bytes of longer logs are looked at
 * here. What a state has to know is never trimmed before a snapshot knows it.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "engine/store.h"
#include "engine/store_schema.h"
#include "fanfare/error.h"

/* Topics that are looked at in one step, and runs and topics that are trimmed in one commit. */
#define SWEEP_TOPICS 4096
#define TRIM_RUNS    512
#define TRIM_TOPICS  64

/* A log is trimmed once so much more than its limit is there: the part 1/8, but no more events than
 * these. */
#define SLACK_EVENTS 4096

#define SNAPSHOT_EVENTS 10000
#define SNAPSHOT_BYTES  (16u << 20)

static bool is_session(const struct stored_topic *t)
{
    return t->topic->kind == TOPIC_SESSION;
}

/* ---- Trimming ---- */

static uint64_t slack(uint64_t count)
{
    uint64_t part = count / 8;
    return part > SLACK_EVENTS ? SLACK_EVENTS : part;
}

bool store_trim_is_due(const struct store *s, const struct stored_topic *t)
{
    const struct topic_limits *limits = &s->options.kinds[t->topic->kind];
    uint64_t kept = t->offset + 1 - t->first_offset;
    if (t->untrimmable)
        return false;
    return kept > limits->count + slack(limits->count) ||
           (limits->bytes && t->bytes > limits->bytes + limits->bytes / 8);
}

/* What may go: runs below the floor, those that are too old, and what is too much. */
static int find_trim(struct store *s, struct stored_topic *t, uint64_t floor, int64_t now_ms)
{
    const struct topic_limits *limits = &s->options.kinds[t->topic->kind];
    int64_t oldest = limits->age_ms ? now_ms - (int64_t)limits->age_ms : INT64_MIN;
    sqlite3_stmt *q = store_db_get(&s->db, STORE_RUNS_UP);
    if (!q)
        return sqlite3_extended_errcode(s->db.db);
    sqlite3_bind_int64(q, 1, store_run_id(t->id, t->first_offset));
    sqlite3_bind_int64(q, 2, store_run_id(t->id, STORE_OFFSET_MAX));
    int code = SQLITE_DONE;
    for (unsigned n = 0; n < TRIM_RUNS && (code = sqlite3_step(q)) == SQLITE_ROW; n++) {
        uint64_t end = store_run_offset(sqlite3_column_int64(q, 0)) + store_column(q, 1);
        bool old = sqlite3_column_int64(q, 4) < oldest;
        bool much = limits->bytes && t->bytes - t->trim_bytes > limits->bytes && end <= t->offset;
        if (end > floor && !old && !much)
            break;
        t->trim_to = end - 1;
        t->trim_seq = store_column(q, 3);
        t->trim_bytes += store_column(q, 5);
        t->trim_reason = end <= floor || old ? TRIM_AGE : TRIM_BYTES;
    }
    sqlite3_reset(q);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* What is damaged cannot be trimmed either; that must not keep the topic from being written. */
static int forgive_damage(struct store *s, struct stored_topic *t, int code)
{
    if ((code & 0xff) != SQLITE_CORRUPT)
        return code;
    t->untrimmable = true;
    t->trim_to = t->trim_bytes = 0;
    store_report_damage(s, t->topic, t->first_offset, t->offset + 1 - t->first_offset);
    return SQLITE_OK;
}

int store_trim(struct store *s, struct stored_topic *t, int64_t now_ms)
{
    uint64_t floor = hub_log_floor(s->engine.hub, t->topic);
    t->trim_to = t->trim_bytes = 0;
    int code = find_trim(s, t, floor, now_ms);
    if (code != SQLITE_OK || t->trim_to == 0)
        return forgive_damage(s, t, code);
    if (is_session(t) && t->state_offset < t->trim_to) {
        t->trim_to = 0;
        t->warm_first = true;
        store_want_snapshot(s, t);
        return SQLITE_OK;
    }
    sqlite3_stmt *q = store_db_get(&s->db, STORE_DELETE_RUNS);
    if (!q)
        return sqlite3_extended_errcode(s->db.db);
    sqlite3_bind_int64(q, 1, store_run_id(t->id, 0));
    sqlite3_bind_int64(q, 2, store_run_id(t->id, t->trim_to));
    code = store_db_run(&s->db, q);
    if (code != SQLITE_OK)
        return forgive_damage(s, t, code);
    struct stored_topic after = *t;
    store_apply_trim(&after);
    return store_put_topic(s, &after);
}

void store_apply_trim(struct stored_topic *t)
{
    t->first_offset = t->trim_to + 1;
    t->trimmed_seq = t->trim_seq;
    t->bytes -= t->trim_bytes;
}

void store_finish_trim(struct store *s, struct stored_topic *t, bool committed)
{
    if (committed && t->trim_to) {
        store_apply_trim(t);
        t->row_offset = t->offset;
        hub_log_trimmed(s->engine.hub, t->topic, t->trim_to, t->trim_seq, t->trim_reason);
    }
    t->trim_to = t->trim_bytes = 0;
}

/* ---- Snapshots ---- */

void store_want_snapshot(struct store *s, struct stored_topic *t)
{
    if (t->snapshot_wanted)
        return;
    if (s->wanted_count == s->wanted_cap) {
        uint32_t cap = s->wanted_cap ? s->wanted_cap * 2 : 64;
        uint64_t *grown = memory_try_realloc(s->wanted_snapshots, cap * sizeof *grown);
        if (!grown)
            return; /* it is asked for again */
        s->wanted_snapshots = grown;
        s->wanted_cap = cap;
    }
    s->wanted_snapshots[s->wanted_count++] = t->id;
    t->snapshot_wanted = true;
}

void store_note_events(struct store *s, struct stored_topic *t)
{
    if (is_session(t) &&
        (t->offset - t->state_offset >= SNAPSHOT_EVENTS || t->state_bytes_since >= SNAPSHOT_BYTES))
        store_want_snapshot(s, t);
}

static int put_state(struct store *s, const struct stored_topic *t, uint64_t offset)
{
    sqlite3_stmt *q = store_db_get(&s->db, STORE_PUT_STATE);
    if (!q)
        return sqlite3_extended_errcode(s->db.db);
    sqlite3_bind_int64(q, 1, (sqlite3_int64)t->id);
    sqlite3_bind_int64(q, 2, (sqlite3_int64)offset);
    sqlite3_bind_blob64(q, 3, s->blob.data, s->blob.len, SQLITE_STATIC);
    return store_db_run(&s->db, q);
}

/* Within a transaction. */
static int write_snapshot(struct store *s, struct stored_topic *t)
{
    uint64_t offset;
    struct buf snapshot = {0};
    int code = SQLITE_OK;
    /* Events behind the last commit are not there before the next one. */
    if (hub_snapshot(s->engine.hub, t->topic, &snapshot, &offset) == 0 &&
        offset > t->state_offset && offset <= t->offset) {
        checked_blob_begin(&s->blob);
        buf_append_slice(&s->blob, buf_slice(&snapshot));
        const struct checked_key key = {(int64_t)t->id, offset};
        code = checked_blob_end(&s->blob, key) == 0 ? put_state(s, t, offset) : SQLITE_NOMEM;
        t->new_state_offset = code == SQLITE_OK ? offset : 0;
    }
    buf_fini(&snapshot);
    return code;
}

static void finish_snapshot(struct stored_topic *t, bool committed)
{
    if (committed && t->new_state_offset) {
        t->state_offset = t->new_state_offset;
        t->state_bytes_since = 0;
    }
    t->new_state_offset = 0;
    t->snapshot_wanted = false;
}

/* ---- Transactions ---- */

int store_begin(struct store *s)
{
    if (!s->db.db)
        return s->failure; /* it could not be opened again yet */
    return store_db_run(&s->db, store_db_get(&s->db, STORE_BEGIN));
}

int store_end(struct store *s, int code)
{
    if (code == SQLITE_OK)
        code = store_db_run(&s->db, store_db_get(&s->db, STORE_COMMIT));
    if (code != SQLITE_OK && s->db.db && !sqlite3_get_autocommit(s->db.db))
        store_db_run(&s->db, store_db_get(&s->db, STORE_ROLLBACK));
    return code;
}

static int write_snapshots(struct store *s)
{
    for (uint32_t i = 0; i < s->wanted_count; i++) {
        struct stored_topic *t = s->topics[s->wanted_snapshots[i]];
        /* One that is not in memory is needed since its log is to be trimmed. */
        if (t->warm_first)
            hub_warm(s->engine.hub, t->topic);
        t->warm_first = false;
    }
    int code = store_begin(s);
    for (uint32_t i = 0; code == SQLITE_OK && i < s->wanted_count; i++)
        code = write_snapshot(s, s->topics[s->wanted_snapshots[i]]);
    code = store_end(s, code);
    for (uint32_t i = 0; i < s->wanted_count; i++)
        finish_snapshot(s->topics[s->wanted_snapshots[i]], code == SQLITE_OK);
    s->wanted_count = 0;
    return code;
}

static int trim_some(struct store *s, struct stored_topic **due, unsigned count, int64_t now_ms)
{
    int code = store_begin(s);
    for (unsigned i = 0; code == SQLITE_OK && i < count; i++)
        code = store_trim(s, due[i], now_ms);
    code = store_end(s, code);
    for (unsigned i = 0; i < count; i++)
        store_finish_trim(s, due[i], code == SQLITE_OK);
    return code;
}

/* Whether the sweep has to look at the topic's runs. */
static bool may_trim(struct store *s, struct stored_topic *t, int64_t now_ms)
{
    const struct topic_limits *limits = &s->options.kinds[t->topic->kind];
    if (t->first_offset > t->offset || t->untrimmable)
        return false;
    return store_trim_is_due(s, t) || hub_log_floor(s->engine.hub, t->topic) > t->offset ||
           (limits->age_ms && t->oldest_ms + (int64_t)limits->age_ms < now_ms);
}

/* When the topic's oldest run was accepted: there is no need to look before that is old. */
static void note_oldest(struct store *s, struct stored_topic *t, int64_t now_ms)
{
    sqlite3_stmt *q = store_db_get(&s->db, STORE_RUNS_UP);
    t->oldest_ms = now_ms;
    if (!q)
        return;
    sqlite3_bind_int64(q, 1, store_run_id(t->id, t->first_offset));
    sqlite3_bind_int64(q, 2, store_run_id(t->id, STORE_OFFSET_MAX));
    if (sqlite3_step(q) == SQLITE_ROW)
        t->oldest_ms = sqlite3_column_int64(q, 4);
    sqlite3_reset(q);
}

static int delete_rows(struct store *s, struct stored_topic **empty, unsigned count)
{
    struct node_record node;
    hub_get_node(s->engine.hub, &node);
    int code = store_begin(s);
    for (unsigned i = 0; code == SQLITE_OK && i < count; i++) {
        enum topic_kind kind = empty[i]->topic->kind;
        if (empty[i]->last_seq > node.lost_seq[kind])
            node.lost_seq[kind] = empty[i]->last_seq;
        node.lost_generation[kind]++;
        code = store_delete_topic(s, empty[i]->id);
    }
    if (code == SQLITE_OK)
        code = store_put_lost(s, &node);
    return store_end(s, code);
}

/* Topics of which nothing is left: first on the disk, so that none comes back that the hub has
 * forgotten. One that is used again meanwhile gets a row again with its next event. */
static int forget(struct store *s, struct stored_topic **empty, unsigned count)
{
    int code = delete_rows(s, empty, count);
    for (unsigned i = 0; code == SQLITE_OK && i < count; i++) {
        struct stored_topic *t = empty[i];
        t->has_row = false;
        t->row_offset = t->state_offset = 0;
        if (!hub_forget(s->engine.hub, t->topic))
            continue;
        s->topics[t->id] = NULL;
        topic_unref(t->topic);
        memory_free(t);
    }
    return code;
}

static bool is_empty(struct store *s, const struct stored_topic *t)
{
    return t->first_offset > t->offset && hub_is_forgettable(s->engine.hub, t->topic);
}

static int sweep(struct store *s, int64_t now_ms)
{
    struct stored_topic *due[TRIM_TOPICS], *empty[TRIM_TOPICS];
    unsigned count = 0, empty_count = 0;
    /* None twice: it may be gone after the first time. */
    for (unsigned n = 0;
         n < SWEEP_TOPICS && n + 1 < s->next_id && count < TRIM_TOPICS && empty_count < TRIM_TOPICS;
         n++) {
        if (++s->sweep_id >= s->next_id)
            s->sweep_id = 1;
        struct stored_topic *t = s->sweep_id < s->next_id ? s->topics[s->sweep_id] : NULL;
        if (t && t->has_row && is_empty(s, t))
            empty[empty_count++] = t;
        else if (t && t->has_row && may_trim(s, t, now_ms))
            due[count++] = t;
    }
    int code = count ? trim_some(s, due, count, now_ms) : SQLITE_OK;
    for (unsigned i = 0; i < count; i++)
        note_oldest(s, due[i], now_ms);
    if (code == SQLITE_OK && empty_count)
        code = forget(s, empty, empty_count);
    return code;
}

#define COOL_AT_ONCE 64

/* The states of topics that go out of memory are stored first. */
static int cool(struct store *s)
{
    struct topic *idle[COOL_AT_ONCE];
    unsigned count = hub_idle_topics(s->engine.hub, idle, COOL_AT_ONCE);
    for (unsigned i = 0; i < count; i++) {
        struct stored_topic *t = s->topics[idle[i]->store_id];
        if (is_session(t) && t->state_offset < t->offset)
            store_want_snapshot(s, t);
    }
    int code = s->wanted_count ? write_snapshots(s) : SQLITE_OK;
    for (unsigned i = 0; i < count; i++) {
        hub_cool(s->engine.hub, idle[i], s->topics[idle[i]->store_id]->state_offset);
        topic_unref(idle[i]);
    }
    return code;
}

int store_upkeep(struct store *s)
{
    int code = s->wanted_count ? write_snapshots(s) : SQLITE_OK;
    uint64_t now = clock_ms();
    if (code != SQLITE_OK || now - s->upkeep_ms < UPKEEP_MS)
        return code;
    s->upkeep_ms = now;
    code = sweep(s, clock_wall_ms());
    return code == SQLITE_OK ? cool(s) : code;
}

int store_write_end(struct store *s)
{
    struct node_record node;
    for (uint64_t id = 1; id < s->next_id; id++) {
        struct stored_topic *t = s->topics[id];
        if (t && is_session(t) && t->state_offset < t->offset)
            store_want_snapshot(s, t);
    }
    int code = write_snapshots(s);
    hub_get_node(s->engine.hub, &node);
    if (code == SQLITE_OK)
        code = store_begin(s);
    for (uint64_t id = 1; code == SQLITE_OK && id < s->next_id; id++) {
        struct stored_topic *t = s->topics[id];
        if (t && t->has_row && t->row_offset != t->offset)
            code = store_put_topic(s, t);
    }
    if (code == SQLITE_OK)
        code = store_put_meta(&s->db, "seq", node.seq);
    if (code == SQLITE_OK)
        code = store_put_meta(&s->db, "clean", 1);
    return store_end(s, code);
}
