/* Time and its text form; see clock.h. */
#include "base/clock.h"

#include <time.h>

#include "fanfare/error.h"

int64_t clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_ms(void)
{
    return clock_ns() / 1000000;
}

/* Days since 1970-01-01 to a date of the Gregorian calendar, and back: the year is counted from
 * March so that the leap day comes last, in eras of 400 years (146,097 days). */
static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era_years = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t of_era = of_era_years * 365 + of_era_years / 4 - of_era_years / 100 + of_year;
    return era * 146097 + of_era - 719468;
}

static void put_digits(char *to, int count, int value)
{
    while (count--) {
        to[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void clock_format(int64_t wall_ms, char out[CLOCK_TEXT_SIZE])
{
    const int64_t first = -62167219200000, last = 253402300799999; /* years 0 to 9999 */
    wall_ms = wall_ms < first ? first : wall_ms > last ? last : wall_ms;
    int64_t days = wall_ms / 86400000, rest = wall_ms % 86400000;
    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    int year, month, day;
    civil_from_days(days, &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_TEXT_SIZE);
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, (int)(rest / 3600000));
    put_digits(out + 14, 2, (int)(rest / 60000 % 60));
    put_digits(out + 17, 2, (int)(rest / 1000 % 60));
    put_digits(out + 20, 3, (int)(rest % 1000));
}

/* Reads exactly `count` digits; false when there are fewer. */
static bool take_digits(struct slice *s, int count, int *value)
{
    if (s->len < (size_t)count)
        return false;
    *value = 0;
    for (int i = 0; i < count; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        *value = *value * 10 + (s->ptr[i] - '0');
    }
    *s = slice_skip(*s, (size_t)count);
    return true;
}

static bool take_char(struct slice *s, const char *allowed)
{
    if (!s->len || !strchr(allowed, s->ptr[0]) || !s->ptr[0])
        return false;
    *s = slice_skip(*s, 1);
    return true;
}

static bool take_fraction(struct slice *s, int *ms)
{
    int scale = 100;
    *ms = 0;
    if (!take_char(s, "."))
        return true;
    size_t digits = 0;
    for (int digit; take_digits(s, 1, &digit); digits++, scale /= 10)
        *ms += digit * scale;
    return digits > 0;
}

static bool take_zone(struct slice *s, int *minutes)
{
    *minutes = 0;
    if (take_char(s, "Zz"))
        return true;
    int sign = s->len && s->ptr[0] == '-' ? -1 : 1, hour, minute;
    if (!take_char(s, "+-") || !take_digits(s, 2, &hour) || !take_char(s, ":") ||
        !take_digits(s, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = sign * (hour * 60 + minute);
    return true;
}

static bool date_valid(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

int clock_parse(struct slice text, int64_t *wall_ms)
{
    int year, month, day, hour, minute, second, ms, zone;
    bool ok =
        take_digits(&text, 4, &year) && take_char(&text, "-") && take_digits(&text, 2, &month) &&
        take_char(&text, "-") && take_digits(&text, 2, &day) && take_char(&text, "Tt ") &&
        take_digits(&text, 2, &hour) && take_char(&text, ":") && take_digits(&text, 2, &minute) &&
        take_char(&text, ":") && take_digits(&text, 2, &second) && take_fraction(&text, &ms) &&
        take_zone(&text, &zone) && text.len == 0;
    if (!ok || !date_valid(year, month, day) || hour > 23 || minute > 59 || second > 60)
        return FAN_E_PARSE;
    int64_t seconds =
        days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone * 60;
    *wall_ms = seconds * 1000 + ms;
    return 0;
}
