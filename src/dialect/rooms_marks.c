/* Marks of sockets that went back; see rooms_marks.h. */
#include "dialect/rooms_marks.h"

#include "base/memory.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"

/* With more, whoever still stands before the oldest gets some events again. */
#define MARKS_MAX 8

struct mark {
    uint32_t number;
    unsigned count;
    uint64_t top; /* the farthest of them */
    uint64_t reached[];
};

struct room_marks {
    uint32_t last; /* number */
    bool forgot;   /* one since the client came back */
    unsigned count;
    struct mark *list[MARKS_MAX]; /* oldest first */
    /* With what the client came back, and from where its rooms went on; NULL: it never did. */
    struct room_offset offset;
    struct mark *starts;
};

/* ---- Offsets ---- */

void room_offset_format(struct room_offset offset, char out[ROOM_OFFSET_SIZE])
{
    char digits[10];
    unsigned n = 0, at = CURSOR_TEXT_SIZE - 1;
    cursor_format(offset.cursor, out);
    if (offset.mark == 0)
        return;
    out[at++] = '.';
    for (uint32_t rest = offset.mark; rest; rest /= 10)
        digits[n++] = (char)('0' + rest % 10);
    while (n)
        out[at++] = digits[--n];
    out[at] = '\0';
}

int room_offset_parse(struct slice text, struct room_offset *offset)
{
    size_t cursor = CURSOR_TEXT_SIZE - 1;
    *offset = (struct room_offset){0};
    if (text.len < cursor || cursor_parse(slice_of(text.ptr, cursor), &offset->cursor) != 0)
        return FAN_E_PARSE;
    if (text.len == cursor)
        return 0;
    struct slice digits = slice_skip(text, cursor + 1);
    uint64_t number = 0;
    for (size_t i = 0; i < digits.len && number <= UINT32_MAX; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return FAN_E_PARSE;
        number = number * 10 + (uint64_t)(digits.ptr[i] - '0');
    }
    if (text.ptr[cursor] != '.' || number == 0 || number > UINT32_MAX)
        return FAN_E_PARSE;
    offset->mark = (uint32_t)number;
    return 0;
}

/* ---- The list ---- */

static void forget_all(struct room_marks *marks)
{
    for (unsigned i = 0; i < marks->count; i++)
        memory_free(marks->list[i]);
    memory_free(marks->starts);
    marks->starts = NULL;
    marks->count = 0;
    marks->forgot = false;
}

void room_marks_free(struct room_marks *marks)
{
    if (marks)
        forget_all(marks);
    memory_free(marks);
}

size_t room_marks_bytes(const struct room_marks *marks)
{
    size_t bytes = marks ? sizeof *marks : 0;
    for (unsigned i = 0; marks && i < marks->count; i++)
        bytes += sizeof(struct mark) + marks->list[i]->count * sizeof(uint64_t);
    if (marks && marks->starts)
        bytes += sizeof(struct mark) + marks->starts->count * sizeof(uint64_t);
    return bytes;
}

static struct mark *mark_new(uint32_t number, unsigned count)
{
    struct mark *m = memory_try_alloc(sizeof *m + count * sizeof *m->reached);
    if (m)
        *m = (struct mark){.number = number, .count = count};
    return m;
}

static void add(struct room_marks *marks, struct mark *m)
{
    if (marks->count == MARKS_MAX) {
        marks->forgot = true;
        memory_free(marks->list[0]);
        memmove(&marks->list[0], &marks->list[1], (MARKS_MAX - 1) * sizeof *marks->list);
        marks->count--;
    }
    for (unsigned i = 0; i < m->count; i++)
        m->top = m->reached[i] > m->top ? m->reached[i] : m->top;
    marks->list[marks->count++] = m;
    marks->last = m->number;
}

static const struct mark *newest(const struct room_marks *marks)
{
    return marks && marks->count ? marks->list[marks->count - 1] : NULL;
}

int room_marks_add(struct room_marks **marks, const uint64_t *reached, unsigned count)
{
    struct mark *m = mark_new(*marks ? (*marks)->last + 1 : 1, count);
    if (m && !*marks && (*marks = memory_try_alloc(sizeof **marks)))
        **marks = (struct room_marks){0};
    if (!m || !*marks) {
        memory_free(m);
        return FAN_E_NO_MEMORY;
    }
    memcpy(m->reached, reached, count * sizeof *reached);
    add(*marks, m);
    return 0;
}

int room_marks_come_back(struct room_marks *marks, const struct room_offset *offset,
                         const uint64_t *starts, unsigned count)
{
    if (!marks)
        return 0;
    struct mark *m = mark_new(0, count);
    if (!m)
        return FAN_E_NO_MEMORY;
    memcpy(m->reached, starts, count * sizeof *starts);
    forget_all(marks);
    marks->offset = *offset;
    marks->starts = m;
    return 0;
}

uint32_t room_marks_shown(const struct room_marks *marks, uint64_t position)
{
    const struct mark *last = newest(marks);
    return last && position <= last->top ? last->number : 0;
}

/* The one that the client has seen something behind; NULL: none. */
static const struct mark *passed(const struct room_marks *marks, const struct room_offset *offset)
{
    for (unsigned i = marks->count; i-- > 0;) {
        const struct mark *m = marks->list[i];
        if (offset->mark ? offset->mark == m->number : m->top < offset->cursor.seq)
            return m;
    }
    return NULL;
}

/* The first one behind that; NULL: none. */
static const struct mark *ahead(const struct room_marks *marks, const struct mark *passed)
{
    unsigned i = 0;
    while (passed && i < marks->count && marks->list[i]->number <= passed->number)
        i++;
    return i < marks->count ? marks->list[i] : NULL;
}

static bool is_same(const struct room_offset *a, const struct room_offset *b)
{
    return a->mark == b->mark && a->cursor.seq == b->cursor.seq;
}

uint64_t room_marks_start(const struct room_marks *marks, const struct room_offset *offset,
                          unsigned room, uint64_t since)
{
    uint64_t start = offset->cursor.seq > since ? offset->cursor.seq : since;
    if (!marks)
        return start;
    if (marks->starts && is_same(offset, &marks->offset)) /* it has got nothing since */
        return room < marks->starts->count ? marks->starts->reached[room] : since;
    const struct mark *at = passed(marks, offset), *next = ahead(marks, at);
    if (!at && marks->forgot)
        return since; /* nothing is known any more */
    if (next && room >= next->count)
        return since; /* it was for this room that the socket went back, or it came later */
    if (at && room < at->count && at->reached[room] > start)
        start = at->reached[room];
    return start;
}

static void leave(struct mark *m, unsigned room)
{
    if (room >= m->count)
        return;
    m->count--;
    memmove(&m->reached[room], &m->reached[room + 1], (m->count - room) * sizeof *m->reached);
}

void room_marks_leave(struct room_marks *marks, unsigned room)
{
    for (unsigned i = 0; marks && i < marks->count; i++)
        leave(marks->list[i], room);
    if (marks && marks->starts)
        leave(marks->starts, room);
}

/* ---- As JSON ---- */

static void append_mark(const struct mark *m, struct buf *out)
{
    json_begin(out, NULL, '[');
    json_put_u64(out, NULL, m->number);
    for (unsigned i = 0; i < m->count; i++)
        json_put_u64(out, NULL, m->reached[i]);
    json_end(out, ']');
}

void room_marks_append(const struct room_marks *marks, struct buf *out)
{
    if (!marks)
        return;
    json_put_u64(out, "last", marks->last);
    json_put_bool(out, "forgot", marks->forgot);
    json_begin(out, "marks", '[');
    for (unsigned i = 0; i < marks->count; i++)
        append_mark(marks->list[i], out);
    if (marks->starts) {
        char text[ROOM_OFFSET_SIZE];
        room_offset_format(marks->offset, text);
        json_put_text(out, NULL, text);
        append_mark(marks->starts, out);
    }
    json_end(out, ']');
}

static bool read_number(struct json_iter *it, uint64_t *number)
{
    struct json_value value;
    int64_t n;
    if (!json_next_element(it, &value) || !json_integer(value, &n) || n < 0)
        return false;
    *number = (uint64_t)n;
    return true;
}

static int read_mark(struct json_value list, struct mark **mark)
{
    struct json_iter it = json_elements(list);
    unsigned elements = json_count(list.text);
    uint64_t number;
    *mark = NULL;
    if (elements == 0 || !read_number(&it, &number))
        return FAN_E_PARSE;
    struct mark *m = mark_new((uint32_t)number, elements - 1);
    if (!m)
        return FAN_E_NO_MEMORY;
    for (unsigned i = 0; i < m->count; i++)
        if (!read_number(&it, &m->reached[i])) {
            memory_free(m);
            return FAN_E_PARSE;
        }
    *mark = m;
    return 0;
}

/* Marks are arrays; the one behind an offset says from where the rooms went on. */
static int read_list(struct json_value list, struct room_marks *marks)
{
    struct json_iter it = json_elements(list);
    struct json_value value;
    struct slice text;
    bool starts = false;
    int error = 0;
    while (!error && json_next_element(&it, &value)) {
        struct mark *m = NULL;
        if (value.kind == JSON_STRING && !starts && json_string_plain(value, &text)) {
            starts = true;
            error = room_offset_parse(text, &marks->offset);
            continue;
        }
        error = value.kind == JSON_ARRAY && !marks->starts ? read_mark(value, &m) : FAN_E_PARSE;
        if (!error && starts)
            marks->starts = m;
        else if (!error)
            add(marks, m);
    }
    return error || starts == (marks->starts != NULL) ? error : FAN_E_PARSE;
}

int room_marks_read(struct json_value object, struct room_marks **marks)
{
    struct json_value list, last, forgot;
    int64_t number;
    *marks = NULL;
    if (!json_find(object, SLICE("marks"), &list))
        return 0;
    if (list.kind != JSON_ARRAY || !json_find(object, SLICE("last"), &last) ||
        last.kind != JSON_NUMBER || !json_integer(last, &number))
        return FAN_E_PARSE;
    struct room_marks *m = memory_try_alloc(sizeof *m);
    if (!m)
        return FAN_E_NO_MEMORY;
    *m = (struct room_marks){0};
    int error = read_list(list, m);
    m->last = (uint32_t)number;
    m->forgot |= json_find(object, SLICE("forgot"), &forgot) && forgot.kind == JSON_TRUE;
    if (error)
        room_marks_free(m);
    else
        *marks = m;
    return error;
}
