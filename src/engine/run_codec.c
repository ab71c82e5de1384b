/* Runs of events as blobs; see run_codec.h. */
#include "engine/run_codec.h"

#include "fanfare/error.h"

enum { FLAG_NESTED = 1, FLAG_AUDIENCE = 2, FLAG_PLACES = 4, FLAGS_KNOWN = 7 };

/* ---- Writing ---- */

static void put_number(struct buf *out, uint64_t n)
{
    unsigned char bytes[10];
    unsigned count = 0;
    for (; n >= 0x80; n >>= 7)
        bytes[count++] = (unsigned char)(n | 0x80);
    bytes[count++] = (unsigned char)n;
    buf_append(out, bytes, count);
}

static uint64_t zigzag(uint64_t n)
{
    return n << 1 ^ (n >> 63 ? UINT64_MAX : 0);
}

static void put_epoch(struct buf *out, uint64_t epoch)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(epoch >> (56 - 8 * i));
    buf_append(out, bytes, sizeof bytes);
}

void run_begin(struct run_writer *w, struct buf *out, int64_t id, uint64_t first_seq)
{
    *w = (struct run_writer){.out = out, .key = {id, first_seq}, .seq = first_seq};
    checked_blob_begin(out);
}

static void put_places(struct buf *out, const struct run_record *record)
{
    put_number(out, record->place_count);
    for (unsigned i = 0; i < record->place_count; i++) {
        const struct run_place *place = &record->places[i];
        put_number(out, place->name.len);
        if (place->name.len == 0)
            continue;
        buf_append_slice(out, place->name);
        put_number(out, place->offset);
        put_epoch(out, place->epoch);
    }
}

void run_add(struct run_writer *w, const struct run_record *record)
{
    struct buf *out = w->out;
    const struct slice *texts[] = {&record->type, &record->source, &record->id, &record->key,
                                   &record->data};
    int flags = (record->nested ? FLAG_NESTED : 0) | (record->audience ? FLAG_AUDIENCE : 0) |
                (record->place_count ? FLAG_PLACES : 0);
    buf_append_char(out, (char)flags);
    put_number(out, record->seq - w->seq);
    put_number(out, zigzag((uint64_t)record->time_ms - (uint64_t)w->time_ms));
    if (record->audience)
        buf_append_char(out, (char)record->audience);
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        put_number(out, texts[i]->len);
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        buf_append_slice(out, *texts[i]);
    if (record->place_count)
        put_places(out, record);
    w->seq = record->seq;
    w->time_ms = record->time_ms;
    w->count++;
}

bool run_is_full(const struct run_writer *w)
{
    return w->count >= RUN_MAX_EVENTS || w->out->len >= RUN_MAX_BYTES;
}

int run_end(struct run_writer *w)
{
    return checked_blob_end(w->out, w->key);
}

/* ---- Reading ---- */

int run_open(struct run_reader *r, struct slice blob, int64_t id, uint64_t first_seq)
{
    struct slice content;
    int error = checked_blob_open(blob, (struct checked_key){id, first_seq}, &content);
    if (error)
        return error;
    const unsigned char *data = (const unsigned char *)content.ptr;
    *r = (struct run_reader){data, data + content.len, first_seq, 0};
    return 0;
}

static bool get_number(struct run_reader *r, uint64_t *n)
{
    *n = 0;
    for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        unsigned char byte = *r->at++;
        *n |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return shift < 63 || byte <= 1;
    }
    return false;
}

static bool get_bytes(struct run_reader *r, uint64_t len, struct slice *bytes)
{
    if (len > (uint64_t)(r->end - r->at))
        return false;
    *bytes = slice_of((const char *)r->at, (size_t)len);
    r->at += len;
    return true;
}

static bool get_epoch(struct run_reader *r, uint64_t *epoch)
{
    struct slice bytes;
    if (!get_bytes(r, 8, &bytes))
        return false;
    *epoch = 0;
    for (int i = 0; i < 8; i++)
        *epoch = *epoch << 8 | (unsigned char)bytes.ptr[i];
    return true;
}

static bool get_place(struct run_reader *r, struct run_place *place)
{
    uint64_t len;
    *place = (struct run_place){0};
    if (!get_number(r, &len))
        return false;
    return len == 0 || (get_bytes(r, len, &place->name) && get_number(r, &place->offset) &&
                        get_epoch(r, &place->epoch));
}

/* One of the places is the run's own topic. */
static bool get_places(struct run_reader *r, struct run_record *record)
{
    uint64_t count;
    unsigned own = 0;
    if (!get_number(r, &count) || count == 0 || count > RUN_MAX_PLACES)
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (!get_place(r, &record->places[i]))
            return false;
        own += record->places[i].name.len == 0;
    }
    record->place_count = (unsigned)count;
    return own == 1;
}

static bool get_texts(struct run_reader *r, struct run_record *record)
{
    struct slice *texts[] = {&record->type, &record->source, &record->id, &record->key,
                             &record->data};
    uint64_t lengths[sizeof texts / sizeof *texts];
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!get_number(r, &lengths[i]))
            return false;
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!get_bytes(r, lengths[i], texts[i]))
            return false;
    return true;
}

static bool get_record(struct run_reader *r, struct run_record *record)
{
    uint64_t seq, time;
    unsigned flags = *r->at++;
    if (flags & ~(unsigned)FLAGS_KNOWN || !get_number(r, &seq) || !get_number(r, &time))
        return false;
    record->seq = r->seq += seq;
    time = (time >> 1) ^ (time & 1 ? UINT64_MAX : 0);
    record->time_ms = r->time_ms = (int64_t)((uint64_t)r->time_ms + time);
    record->nested = flags & FLAG_NESTED;
    record->audience = 0;
    record->place_count = 0;
    if (flags & FLAG_AUDIENCE) {
        if (r->at == r->end)
            return false;
        record->audience = *r->at++;
    }
    return get_texts(r, record) && (!(flags & FLAG_PLACES) || get_places(r, record));
}

int run_next(struct run_reader *r, struct run_record *record)
{
    if (r->at == r->end)
        return 0;
    return get_record(r, record) ? 1 : FAN_E_PARSE;
}
