/*
 * Intake; see intake.h.
 *
 * What is handed over together is a flight (flight.h). An engine that is done at once has it
 * answered and freed at once; else it waits in the intake's queue, and its task brings it back to
 * the worker. A publisher that goes leaves its flights to their tasks.
 */
#include "api/intake.h"

#include <stdio.h>

#include "api/api.h"
#include "api/flight.h"
#include "auth/permit.h"
#include "base/memory.h"
#include "codec/cursor.h"
#include "codec/json.h"
#include "fanfare/error.h"
#include "net/worker.h"

/* More topics than this are left out of a sum. */
#define SUM_TOPICS_MAX 1000

/* Events in one array. */
#define ARRAY_MAX 10000

/* The last place in one topic. */
struct topic_sum {
    uint64_t offset, epoch; /* epoch 0: not known yet */
    uint32_t name_len;
    char name[];
};

static struct slice sum_key(const void *object)
{
    const struct topic_sum *s = object;
    return slice_of(s->name, s->name_len);
}

bool ack_mode_parse(struct slice text, enum ack_mode *mode)
{
    static const char *const names[] = {"each", "batch", "none"};
    for (int i = 0; i < 3; i++)
        if (slice_is(text, names[i])) {
            *mode = (enum ack_mode)i;
            return true;
        }
    return false;
}

void intake_init(struct intake *in, struct api *api, struct conn *conn, struct identity *who,
                 enum ack_mode ack, const struct intake_ops *ops, void *arg)
{
    *in = (struct intake){
        .api = api,
        .conn = conn,
        .who = who,
        .ack = ack,
        .max_data = api_message_size(api),
        .status = 200,
        .ops = ops,
        .arg = arg,
    };
    in->last = &in->first;
    map_init(&in->topics, sum_key);
}

static void forget_sums(struct intake *in)
{
    MAP_EACH (i, &in->topics)
        memory_free(in->topics.slots[i].object);
    map_fini(&in->topics);
    in->published = in->failed = 0;
    in->topics_left_out = 0;
}

void intake_fini(struct intake *in)
{
    for (struct flight *f = in->first, *next; f; f = next) {
        next = f->next;
        flight_leave(f);
    }
    if (in->open)
        flight_free(in->open);
    if (in->conn && in->conn->held)
        conn_release(in->conn);
    forget_sums(in);
    buf_fini(&in->names);
    buf_fini(&in->answer);
}

void intake_moved(struct intake *in, void *arg)
{
    in->arg = arg;
    for (struct flight *f = in->first; f; f = f->next)
        f->intake = in;
    if (!in->first)
        in->last = &in->first;
}

/* ---- Adding ---- */

static struct intake_entry *next_entry(struct intake *in)
{
    if (in->open && in->open->count == INTAKE_MAX)
        intake_flush(in);
    if (!in->open)
        in->open = flight_new(in);
    struct intake_entry *entry = flight_add(&in->open);
    entry->line = ++in->line;
    return entry;
}

void intake_add_line(struct intake *in, struct slice line)
{
    struct intake_entry *entry = next_entry(in);
    entry->text = memory_copy_string(line);
    in->line--; /* it is no event */
}

void intake_add_failure(struct intake *in, const struct publish_failure *failure)
{
    struct intake_entry *entry = next_entry(in);
    entry->failure = memory_alloc(sizeof *failure);
    *entry->failure = *failure;
}

/* Whether the publisher may publish to all of its topics. */
static bool may_publish(const struct intake *in, const struct parsed_event *parsed,
                        struct publish_failure *failure)
{
    const char *name = in->open->names.data + parsed->names_at;
    for (unsigned i = 0; i < parsed->event->place_count; i++, name += strlen(name) + 1) {
        struct access_decision decision = identity_may_publish(in->who, slice_from(name));
        if (decision.allowed)
            continue;
        struct buf why = {0};
        permit_explain(&why, in->who, &decision, "publish to", slice_from(name));
        *failure = (struct publish_failure){.status = 403, .code = "forbidden"};
        snprintf(failure->field, sizeof failure->field, parsed->many ? "topics" : "topic");
        snprintf(failure->message, sizeof failure->message, "%s", buf_text(&why));
        buf_fini(&why);
        return false;
    }
    return true;
}

static int parse(struct intake *in, struct slice text, struct parsed_event *parsed,
                 struct publish_failure *failure)
{
    struct buf *names = &in->open->names;
    int error = publish_event_parse(text, in->max_data, names, parsed, failure);
    if (error || may_publish(in, parsed, failure))
        return error;
    event_unref(parsed->event);
    names->len = parsed->names_at;
    return FAN_E_DENIED;
}

void intake_add(struct intake *in, struct slice text)
{
    struct parsed_event parsed;
    struct publish_failure failure;
    struct intake_entry *entry = next_entry(in);
    entry->names_at = in->open->names.len;
    if (parse(in, text, &parsed, &failure) != 0) {
        entry->failure = memory_alloc(sizeof failure);
        *entry->failure = failure;
        return;
    }
    if (parsed.warning)
        api_count_unusual(in->api);
    entry->item.event = parsed.event;
    entry->many = parsed.many;
}

/* Its answer is one message, which has to stay within reason. */
static bool too_many(struct json_value array, struct publish_failure *failure)
{
    struct json_iter it = json_elements(array);
    struct json_value element;
    unsigned count = 0;
    while (count <= ARRAY_MAX && json_next_element(&it, &element))
        count++;
    if (count <= ARRAY_MAX)
        return false;
    *failure = (struct publish_failure){.status = 413, .code = "too_large"};
    snprintf(failure->message, sizeof failure->message,
             "an array may have at most %d events; send more in several messages", ARRAY_MAX);
    return true;
}

static void add_array(struct intake *in, struct json_value array)
{
    struct json_iter it = json_elements(array);
    struct json_value element, next;
    struct publish_failure failure;
    if (too_many(array, &failure)) {
        intake_add_failure(in, &failure);
        return;
    }
    if (!json_next_element(&it, &element)) {
        if (in->ack == ACK_EACH)
            intake_add_line(in, SLICE("[]"));
        return;
    }
    bool first = true, more;
    do {
        more = json_next_element(&it, &next);
        intake_add(in, element.text);
        struct intake_entry *entry = &in->open->entries[in->open->count - 1];
        entry->array_first = first;
        entry->array_last = !more;
        first = false;
        element = next;
    } while (more);
}

void intake_add_message(struct intake *in, struct slice text)
{
    size_t at = 0;
    struct json_value value;
    while (at < text.len && strchr(" \t\r\n", text.ptr[at]) && text.ptr[at])
        at++;
    if (at == text.len || text.ptr[at] != '[' || json_parse(text, &value, NULL) != 0)
        intake_add(in, text); /* also says what is wrong with a broken array */
    else
        add_array(in, value);
}

/* ---- Answering ---- */

static void note_topic(struct intake *in, struct slice name, uint64_t offset, uint64_t epoch)
{
    struct topic_sum *sum = map_get(&in->topics, name);
    if (!sum) {
        if (in->topics.count >= SUM_TOPICS_MAX) {
            in->topics_left_out++;
            return;
        }
        sum = memory_alloc(sizeof *sum + name.len);
        sum->name_len = (uint32_t)name.len;
        memcpy(sum->name, name.ptr, name.len);
        map_put(&in->topics, sum);
    }
    sum->offset = offset;
    sum->epoch = epoch;
}

static void append_failure(const struct intake *in, const struct intake_entry *entry,
                           struct buf *out)
{
    publish_failure_append(out, entry->failure);
    if (in->lines)
        buf_printf(out, ",\"line\":%llu", (unsigned long long)entry->line);
    buf_append_char(out, '}');
}

static void append_answer(const struct intake *in, const struct flight *f,
                          const struct intake_entry *entry, struct buf *out)
{
    if (entry->failure)
        append_failure(in, entry, out);
    else if (f->answered)
        publish_promise_append(out, entry->item.topics, entry->item.event->place_count,
                               entry->time_ms, entry->many);
    else
        publish_result_append(out, &entry->item, entry->many);
}

static void settle(struct intake *in, const struct flight *f, struct intake_entry *entry)
{
    const struct publish_item *item = &entry->item;
    if (!entry->failure && !f->answered && item->error) {
        entry->failure = memory_alloc(sizeof *entry->failure);
        publish_event_refused(item->error, f->submission.batch.reason, entry->failure);
    }
    in->status = entry->failure ? entry->failure->status : 200;
    if (entry->failure) {
        in->failed++;
        return;
    }
    in->published++;
    for (unsigned i = 0; in->sum_topics && i < item->event->place_count; i++) {
        const struct event_place *place = &item->event->places[i];
        if (f->answered)
            note_topic(in, item->topics[i], 0, 0);
        else
            note_topic(in, topic_name_slice(place->topic), place->offset, place->epoch);
    }
}

static void answer_each(struct intake *in, const struct flight *f, struct intake_entry *entry)
{
    if (entry->array_first || !in->answer.len)
        buf_clear(&in->answer);
    bool in_array = entry->array_first || in->answer.len > 0;
    if (in_array)
        buf_append_char(&in->answer, entry->array_first ? '[' : ',');
    append_answer(in, f, entry, &in->answer);
    if (in_array && !entry->array_last)
        return;
    if (in_array)
        buf_append_char(&in->answer, ']');
    in->ops->answer(in->arg, buf_slice(&in->answer));
    buf_clear(&in->answer);
}

static void answer(struct intake *in, const struct flight *f, struct intake_entry *entry)
{
    if (entry->text) {
        in->ops->answer(in->arg, slice_from(entry->text));
        return;
    }
    settle(in, f, entry);
    if (in->ack == ACK_EACH) {
        answer_each(in, f, entry);
    } else if (entry->failure) {
        buf_clear(&in->answer);
        append_failure(in, entry, &in->answer);
        in->ops->answer(in->arg, buf_slice(&in->answer));
    }
}

static void answer_all(struct intake *in, struct flight *f)
{
    for (unsigned i = 0; i < f->count; i++)
        answer(in, f, &f->entries[i]);
}

/* ---- Under way ---- */

static bool is_full(const struct intake *in)
{
    return in->under_way.events >= INTAKE_UNDER_WAY_EVENTS ||
           in->under_way.bytes >= INTAKE_UNDER_WAY_BYTES ||
           in->under_way.batches >= INTAKE_UNDER_WAY_BATCHES;
}

/* What was promised before the engine had it on disk, and is not there. */
static void count_lost(const struct flight *f)
{
    for (unsigned i = 0; i < f->submission.batch.count; i++)
        if (f->submission.batch.items[i]->error)
            api_count_lost(f->api);
}

static bool is_done(const struct flight *f)
{
    return !f->late || submission_is_done(&f->submission);
}

/* Answers what can be answered in order. Returns whether it did something. */
static bool settle_first(struct intake *in)
{
    struct flight *f = in->first;
    bool any = f && is_done(f);
    for (; f && is_done(f); f = in->first) {
        in->first = f->next;
        if (!in->first)
            in->last = &in->first;
        in->under_way.batches--;
        in->under_way.events -= f->count;
        in->under_way.bytes -= f->bytes;
        if (!f->answered)
            answer_all(in, f);
        flight_leave(f);
    }
    return any;
}

static void come_back(struct worker *w, void *arg)
{
    struct flight *f = arg;
    struct intake *in = f->intake;
    worker_expected(w);
    f->back = true;
    if (f->answered)
        count_lost(f);
    if (!in)
        flight_free(f);
    if (!in || !settle_first(in))
        return;
    if (in->conn->held && !is_full(in))
        conn_release(in->conn);
    in->ops->settled(in->arg);
}

static void on_late(struct submission *s)
{
    struct flight *f = CONTAINER(s, struct flight, submission);
    worker_submit(f->worker, &f->task);
}

static void enqueue(struct intake *in, struct flight *f)
{
    for (unsigned i = 0; i < f->submission.batch.count; i++)
        f->bytes += f->submission.batch.items[i]->event->size;
    in->under_way.batches++;
    in->under_way.events += f->count;
    in->under_way.bytes += f->bytes;
    *in->last = f;
    in->last = &f->next;
    if (is_full(in))
        conn_hold(in->conn);
}

/* ---- Publishing ---- */

/* False: the engine is not done yet. */
static bool submit(struct intake *in, struct flight *f)
{
    flight_fill_batch(f);
    if (f->submission.batch.count == 0)
        return true;
    f->submission.late = on_late;
    f->task.fn = come_back;
    f->task.arg = f;
    f->worker = in->conn ? in->conn->worker : NULL;
    if (submission_publish(in->api->hub, &f->submission))
        return true;
    f->late = true;
    worker_expect(f->worker);
    return false;
}

static void finish(struct intake *in, struct flight *f)
{
    answer_all(in, f);
    if (!in->names.data) {
        in->names = f->names;
        f->names = (struct buf){0};
        buf_clear(&in->names);
    }
    flight_free(f);
}

bool intake_flush(struct intake *in)
{
    struct flight *f = in->open;
    if (!f)
        return intake_is_idle(in);
    in->open = NULL;
    bool done = submit(in, f);
    if (done && intake_is_idle(in)) {
        finish(in, f);
        return true;
    }
    if (in->early) {
        f->answered = true;
        answer_all(in, f);
    }
    enqueue(in, f);
    return in->early;
}
static void append_sum_place(struct buf *out, const struct topic_sum *sum)
{
    char epoch[EPOCH_TEXT_SIZE];
    if (!sum->epoch) {
        BUF_LITERAL(out, "{\"durability\":\"memory\"}");
        return;
    }
    epoch_format(sum->epoch, epoch);
    buf_printf(out, "{\"offset\":%llu,\"epoch\":\"%s\"}", (unsigned long long)sum->offset, epoch);
}

void intake_append_sum(struct intake *in, struct buf *out)
{
    const char *separator = "";
    buf_printf(out, "{\"published\":%llu,\"failed\":%llu,\"topics\":{",
               (unsigned long long)in->published, (unsigned long long)in->failed);
    MAP_EACH (i, &in->topics) {
        const struct topic_sum *sum = in->topics.slots[i].object;
        buf_append_text(out, separator);
        json_append_string(out, sum_key(sum));
        buf_append_char(out, ':');
        append_sum_place(out, sum);
        separator = ",";
    }
    buf_append_char(out, '}');
    if (in->topics_left_out)
        BUF_LITERAL(out, ",\"topics_left_out\":true");
    buf_append_char(out, '}');
    forget_sums(in);
}
