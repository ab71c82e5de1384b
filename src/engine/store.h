/* What the parts of engine `sqlite` share; nobody else includes this. */
#ifndef ENGINE_STORE_H
#define ENGINE_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "engine/run_codec.h"
#include "engine/sqlite.h"
#include "engine/store_db.h"
#include "hub/hub.h"
#include "hub/placing.h"

/* A topic in the store. Only the store's thread uses it. */
struct stored_topic {
    struct topic *topic; /* referenced */
    uint64_t id;
    bool has_row;
    uint64_t row_offset;   /* as of when the row was written */
    uint64_t offset;       /* of the newest event that is committed */
    uint64_t first_offset; /* of the oldest run, or of what comes next */
    uint64_t birth_seq, last_seq, trimmed_seq;
    uint64_t bytes;
    int64_t oldest_ms; /* wall clock: no run is older; 0: not known */
    /* Of the trimming that the transaction under way does. */
    uint64_t trim_to, trim_seq, trim_bytes;
    enum trim_reason trim_reason;
    /* Sessions: up to where the stored snapshot is folded, and how much came since. */
    uint64_t state_offset, state_bytes_since, new_state_offset;
    bool snapshot_wanted, warm_first;
    bool untrimmable;                 /* its runs are damaged */
    uint32_t first_entry, last_entry; /* in the commit under way, counted from 1; 0: none */
};

/* An event of the commit under way, in one of its topics. */
struct store_entry {
    struct event *event;
    unsigned place;
    uint32_t next; /* of the same topic, counted from 1; 0: the last */
};

/* Counters; any thread. */
struct store_stats {
    atomic_ullong commits, events, runs, failures, commit_us;
    atomic_ullong reads;   /* runs that were read and decoded for readers */
    atomic_ullong damaged; /* parts of logs that could not be read, each time */
    atomic_uint log_pages; /* of the write-ahead log that are in use */
};

struct store {
    struct engine engine;
    struct sqlite_options options;
    char *path;
    int lock_fd;
    struct store_db db; /* the store's thread's */

    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* of what follows up to stop */
    pthread_cond_t wanted;
    struct publish_batch *queue, **queue_end;
    uint64_t queued_bytes;
    struct note *notes, **notes_end;
    uint64_t notes_bytes;
    int failure; /* SQLite's code of the last write; only the store's thread sets it */
    bool stop;

    struct stored_topic **topics; /* by id */
    size_t topic_cap;
    uint64_t next_id;
    uint64_t
        reserved_seq; /* the node's order will not go beyond it without a commit that says so */
    struct store_entry *entries;
    uint32_t entry_count, entry_cap;
    uint64_t *dirty; /* ids of topics with entries */
    uint32_t dirty_count, dirty_cap;
    struct buf blob;
    struct note *writing; /* the notes of the commit under way */
    struct map unwritten; /* struct unwritten_note: those that could not be written yet */
    uint64_t unwritten_bytes;
    uint64_t *wanted_snapshots; /* ids */
    uint32_t wanted_count, wanted_cap;
    uint64_t sweep_id, upkeep_ms, probed_ms;
    int log_pages; /* of the write-ahead log, after the last commit */
    struct store_checkpointer *checkpointer;
    struct store_cache *cache;
    struct store_readers *readers;
    struct store_stats stats;
};

/* store_load.c: from the database to the hub. 0, FAN_E_IO, FAN_E_NO_MEMORY, FAN_E_LIMIT. */
int store_load(struct store *s, struct buf *why);

/* The store's topic of that id, made if need be. */
struct stored_topic *store_topic(struct store *s, uint64_t id, struct topic *topic);

/* Within a transaction: a topic with its runs; what the node has lost. SQLite's extended code. */
int store_delete_topic(struct store *s, uint64_t id);
int store_put_lost(struct store *s, const struct node_record *node);

/* store_recent.c: the newest events and ids to the hub. As store_load. */
int store_load_events(struct store *s, struct buf *why);

/* Logs and counts that a run cannot be read. */
void store_report_damage(struct store *s, const struct topic *topic, uint64_t first_offset,
                         uint64_t count);

/* The same of a session's folded state. */
void store_report_damaged_state(struct store *s, const struct topic *topic);

/* An event as it was published, from a run of `topic`; NULL: no memory. One reference. */
struct event *store_make_event(struct store *s, const struct run_record *record,
                               struct topic *topic, uint64_t offset);

/* store_cache.c: runs that were read lately, decoded, so that many who resume share the work. Any
 * thread. */
struct cached_run {
    struct list link; /* least recently used first */
    int64_t id;
    uint64_t first_offset, last_seq;
    size_t bytes;
    unsigned refs, count;
    struct event *events[];
};
struct store_cache *store_cache_new(size_t max_bytes);
void store_cache_free(struct store_cache *cache);

/* The run, which the caller gives back with store_cache_release; NULL: it is not there. */
struct cached_run *store_cache_get(struct store_cache *cache, int64_t id);

/* Adds a run with one reference, the caller's, and takes its events over. */
void store_cache_add(struct store_cache *cache, struct cached_run *run);
void store_cache_release(struct store_cache *cache, struct cached_run *run);

/* store_read.c: engine_ops.read and find, and the connections that they use. */
struct store_readers *store_readers_new(void);
void store_readers_free(struct store_readers *readers);
int store_read(struct engine *engine, struct stored_read *read);
int store_load_state(struct engine *engine, struct topic *topic, struct buf *snapshot,
                     uint64_t *offset);
int store_find(struct engine *engine, struct topic *topic, uint64_t position, uint64_t from,
               uint64_t end, uint64_t *offset);

/* store_notes.c: hub_keep and hub_each_note. Those of one commit: taking them, with s->lock held;
 * writing them, within the transaction; telling how that went. SQLite's extended codes. */
void store_notes_init(struct store *s);
void store_notes_fini(struct store *s);
void store_keep(struct engine *engine, struct note *note);
int store_each_note(struct engine *engine, struct slice prefix,
                    void (*use)(void *arg, struct slice name, struct slice value), void *arg);
void store_take_notes(struct store *s);
bool store_has_notes(const struct store *s);
int store_write_notes(struct store *s);
void store_finish_notes(struct store *s, int code);

/* store_write.c: one commit with all notes, and all events of the batches that are placed, up to
 * this number of the node's order. Returns SQLite's extended code. */
int store_write(struct store *s, struct publish_batch *batches, uint64_t last_seq);

int store_put_topic(struct store *s, const struct stored_topic *t);

/* store_upkeep.c: transactions; store_end commits if code is SQLITE_OK and rolls back otherwise. */
int store_begin(struct store *s);
int store_end(struct store *s, int code);

/* Whether a commit that adds to the topic should trim it as well; doing so, within the commit; and
 * what follows once that is over. */
bool store_trim_is_due(const struct store *s, const struct stored_topic *t);
int store_trim(struct store *s, struct stored_topic *t, int64_t now_ms);
void store_apply_trim(struct stored_topic *t);
void store_finish_trim(struct store *s, struct stored_topic *t, bool committed);

/* The topic's state should be stored at the next upkeep; whether it should after these events. */
void store_want_snapshot(struct store *s, struct stored_topic *t);
void store_note_events(struct store *s, struct stored_topic *t);

/* After each commit, and every UPKEEP_MS without one. SQLite's extended code. */
#define UPKEEP_MS 1000
int store_upkeep(struct store *s);

/* store_checkpoint.c: after each commit. The start returns 0, FAN_E_IO, FAN_E_LIMIT with the reason
 * appended; store_watch_log belongs to each connection of the store's thread. */
int store_checkpoint_start(struct store *s, struct buf *why);
void store_checkpoint(struct store *s);
void store_checkpoint_free(struct store *s);
void store_watch_log(struct store *s);

/* store_health.c: after each write; now and then while they fail; for everybody, from any thread.
 */
void store_note_result(struct store *s, int code);
void store_recover(struct store *s);
void store_status(struct engine *engine, struct engine_status *out);

/* Writes what makes the next start quick, as the last thing. */
int store_write_end(struct store *s);

/* The node's order is set aside in such steps: after a crash it goes on behind the last one. */
#define STORE_SEQ_STEP (UINT64_C(1) << 32)

#endif
