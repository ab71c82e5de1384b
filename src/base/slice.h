/* A borrowed run of bytes: pointer and length, owned by somebody else, not NUL-terminated. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *ptr;
    size_t len;
};

/* The slice of a string literal. */
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).len, (s).ptr

static inline struct slice slice_from(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline struct slice slice_of(const char *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_from(text));
}

/* ASCII case is ignored. */
static inline bool slice_is_nocase(struct slice a, const char *text)
{
    return a.len == strlen(text) && strncasecmp(a.ptr, text, a.len) == 0;
}

static inline bool slice_starts(struct slice a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.len >= n && memcmp(a.ptr, prefix, n) == 0;
}

/* What follows the first n bytes; empty when there are fewer. */
static inline struct slice slice_skip(struct slice a, size_t n)
{
    if (n > a.len)
        n = a.len;
    return n ? (struct slice){a.ptr + n, a.len - n} : a; /* NULL is not added to */
}

static inline bool slice_begins(struct slice a, struct slice prefix)
{
    return a.len >= prefix.len && slice_equal(slice_of(a.ptr, prefix.len), prefix);
}

/* Splits at the first separator: *head is what stands before it, the rest stays in *rest.
 * Returns false when *rest was empty. Without a separator all of it is the head. */
static inline bool slice_split(struct slice *rest, char separator, struct slice *head)
{
    if (rest->len == 0)
        return false;
    const char *at = memchr(rest->ptr, separator, rest->len);
    if (!at) {
        *head = *rest;
        *rest = slice_skip(*rest, rest->len);
        return true;
    }
    *head = slice_of(rest->ptr, (size_t)(at - rest->ptr));
    *rest = slice_skip(*rest, head->len + 1);
    return true;
}

/* Without leading and trailing spaces and tabs. */
static inline struct slice slice_trim(struct slice a)
{
    while (a.len && (a.ptr[0] == ' ' || a.ptr[0] == '\t'))
        a.ptr++, a.len--;
    while (a.len && (a.ptr[a.len - 1] == ' ' || a.ptr[a.len - 1] == '\t'))
        a.len--;
    return a;
}

#endif
