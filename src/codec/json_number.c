/*
 * JSON numbers to and from C's; see json.h.
 *
 * A number's text is taken apart into digits and a decimal exponent. strtod and printf then see
 * no decimal point at all, so that the process's locale has no say.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/json.h"

/* No exponent that a double or an int64_t can feel is larger; keeps sums from overflowing. */
#define EXPONENT_BOUND 1000000000

/* 768 digits decide how any decimal rounds to a double; of the rest only "not zero" counts. */
#define DIGITS_KEPT 770

/* ±0.d1d2d3… × 10^exponent with d1 and the last digit not 0; count 0 for zero. */
struct decimal {
    bool negative;
    struct slice digits; /* in the number's text: a '.' may stand among them */
    size_t count;        /* of the digits without the '.' */
    long exponent;
};

static long read_exponent(struct slice text)
{
    bool negative = text.len && text.ptr[0] == '-';
    if (text.len && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        text = slice_skip(text, 1);
    long n = 0;
    for (size_t i = 0; i < text.len && n < EXPONENT_BOUND; i++)
        n = n * 10 + (text.ptr[i] - '0');
    return negative ? -n : n;
}

/* How many digits stand before the point, not counting leading zeros (a negative number counts
 * the zeros behind the point): the exponent of the form 0.d1d2…. */
static long leading_magnitude(struct slice mantissa, size_t first)
{
    const char *point = memchr(mantissa.ptr, '.', mantissa.len);
    size_t point_at = point ? (size_t)(point - mantissa.ptr) : mantissa.len;
    return first < point_at ? (long)(point_at - first) : -(long)(first - point_at - 1);
}

static struct decimal take_apart(struct slice text)
{
    struct decimal d = {.negative = text.len && text.ptr[0] == '-'};
    if (d.negative)
        text = slice_skip(text, 1);
    size_t end = 0;
    while (end < text.len && text.ptr[end] != 'e' && text.ptr[end] != 'E')
        end++;
    struct slice mantissa = slice_of(text.ptr, end);
    size_t first = 0;
    while (first < end && (mantissa.ptr[first] == '0' || mantissa.ptr[first] == '.'))
        first++;
    if (first == end)
        return d;
    while (mantissa.ptr[end - 1] == '0' || mantissa.ptr[end - 1] == '.')
        end--;
    d.digits = slice_of(mantissa.ptr + first, end - first);
    d.count = d.digits.len - (memchr(d.digits.ptr, '.', d.digits.len) ? 1 : 0);
    d.exponent = leading_magnitude(mantissa, first) +
                 (mantissa.len < text.len ? read_exponent(slice_skip(text, mantissa.len + 1)) : 0);
    return d;
}

double json_number(struct json_value number)
{
    struct decimal d = take_apart(number.text);
    if (number.kind != JSON_NUMBER || d.count == 0)
        return number.kind == JSON_NUMBER && d.negative ? -0.0 : 0.0;
    char text[DIGITS_KEPT + 40];
    size_t len = 0;
    for (size_t i = 0; i < d.digits.len && len < DIGITS_KEPT; i++)
        if (d.digits.ptr[i] != '.')
            text[len++] = d.digits.ptr[i];
    long exponent = d.exponent - (long)len;
    if (len < d.count) {
        text[len++] = '1'; /* something that is not 0 was cut off */
        exponent--;
    }
    snprintf(text + len, sizeof text - len, "e%ld", exponent);
    double value = strtod(text, NULL);
    return d.negative ? -value : value;
}

bool json_integer(struct json_value number, int64_t *out)
{
    struct decimal d = take_apart(number.text);
    if (number.kind != JSON_NUMBER)
        return false;
    if (d.count && (d.exponent > 19 || d.exponent < (long)d.count))
        return false; /* too large, or with a fraction */
    uint64_t magnitude = 0;
    uint64_t limit = (uint64_t)INT64_MAX + d.negative;
    long position = 0;
    for (size_t i = 0; position < d.exponent; i++) {
        if (i < d.digits.len && d.digits.ptr[i] == '.')
            continue;
        unsigned digit = i < d.digits.len ? (unsigned)(d.digits.ptr[i] - '0') : 0;
        if (magnitude > (limit - digit) / 10)
            return false;
        magnitude = magnitude * 10 + digit;
        position++;
    }
    *out = d.negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

/* ---- Writing ---- */

/* The fewest digits that read back as value (positive, finite): digits without point in `digits`,
 * the result is their number, and value is 0.digits × 10^*exponent. */
static int shortest_digits(double value, char digits[20], int *exponent)
{
    char text[40];
    /* 15 digits always survive the way through a normal double; subnormals hold fewer. */
    for (int precision = value < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, value);
        if (precision == 17 || strtod(text, NULL) == value)
            break;
    }
    int count = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            digits[count++] = *p;
    *exponent = (int)strtol(p + 1, NULL, 10) + 1;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return count;
}

static void append_zeros(struct buf *out, int n)
{
    while (n-- > 0)
        buf_append_char(out, '0');
}

/* Where the point goes and when an exponent is written: as ECMAScript's Number::toString. */
void json_append_number(struct buf *out, double number)
{
    if (!isfinite(number)) {
        BUF_LITERAL(out, "null");
        return;
    }
    if (signbit(number))
        buf_append_char(out, '-');
    if (number == 0) {
        buf_append_char(out, '0');
        return;
    }
    char digits[20];
    int exponent;
    int count = shortest_digits(fabs(number), digits, &exponent);
    if (exponent > 21 || exponent < -5) {
        buf_append(out, digits, 1);
        if (count > 1)
            buf_append_char(out, '.');
        buf_append(out, digits + 1, (size_t)count - 1);
        buf_printf(out, "e%+d", exponent - 1);
    } else if (exponent <= 0) {
        BUF_LITERAL(out, "0.");
        append_zeros(out, -exponent);
        buf_append(out, digits, (size_t)count);
    } else if (count <= exponent) {
        buf_append(out, digits, (size_t)count);
        append_zeros(out, exponent - count);
    } else {
        buf_append(out, digits, (size_t)exponent);
        buf_append_char(out, '.');
        buf_append(out, digits + exponent, (size_t)(count - exponent));
    }
}
