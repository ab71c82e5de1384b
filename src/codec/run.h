/*
 * Finding the end of a run of harmless bytes, eight at a time.
 *
 * The words are tested with carries that can spill over into bytes behind the first hit, never
 * before it; so only the lowest hit of a word counts. Any thread.
 */
#ifndef CODEC_RUN_H
#define CODEC_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define RUN_ONES  0x0101010101010101u
#define RUN_HIGHS 0x8080808080808080u

/* Eight bytes, the first one in the lowest bits. */
static inline uint64_t run_load(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
        word = __builtin_bswap64(word);
    return word;
}

/* The high bit of each byte of word that equals c (and maybe of bytes behind it). */
static inline uint64_t run_equal(uint64_t word, unsigned char c)
{
    uint64_t difference = word ^ (RUN_ONES * c);
    return (difference - RUN_ONES) & ~difference & RUN_HIGHS;
}

/* The high bit of each byte below 0x20 (and maybe of bytes behind it). */
static inline uint64_t run_control(uint64_t word)
{
    return (word - RUN_ONES * 0x20) & ~word & RUN_HIGHS;
}

/* The index, 0 to 7, of the first byte that a test has hit; hits is not 0. */
static inline unsigned run_first(uint64_t hits)
{
    return (unsigned)__builtin_ctzll(hits) >> 3;
}

/* The first byte from p that is not ASCII; end when there is none. */
static inline const char *run_ascii(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t hits = run_load(p) & RUN_HIGHS;
        if (hits)
            return p + run_first(hits);
        p += 8;
    }
    while (p < end && (unsigned char)*p < 0x80)
        p++;
    return p;
}

/* The first byte from p that ends a plain run inside a JSON string: '"', '\', a control
 * character or one outside ASCII; end when there is none. */
static inline const char *run_json_plain(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word = run_load(p);
        uint64_t hits =
            run_equal(word, '"') | run_equal(word, '\\') | run_control(word) | (word & RUN_HIGHS);
        if (hits)
            return p + run_first(hits);
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\')
        p++;
    return p;
}

/* The first '"' or '\' from p; end when there is none. */
static inline const char *run_json_quoted(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word = run_load(p);
        uint64_t hits = run_equal(word, '"') | run_equal(word, '\\');
        if (hits)
            return p + run_first(hits);
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

#endif
