/* When each event of a recording is due; see replay_pace.h. */
#include "cli/replay_pace.h"

#include <stdlib.h>
#include <string.h>

#define SPEED_MIN 0.001
#define SPEED_MAX 1000000.0

bool replay_speed_parse(const char *text, double *speed)
{
    char *end;
    if (strcmp(text, "max") == 0) {
        *speed = 0;
        return true;
    }
    *speed = strtod(text, &end);
    if (strspn(text, "0123456789.") != (size_t)(end - text)) /* no sign, no exponent, no "nan" */
        return false;
    if (*end == 'x')
        end++;
    return *end == '\0' && *speed >= SPEED_MIN && *speed <= SPEED_MAX;
}

double replay_pace_next(struct replay_pace *p, int64_t time_ms)
{
    int64_t pause = p->begun ? time_ms - p->last_ms : 0;
    if (!p->begun || pause > 0)
        p->last_ms = time_ms;
    p->begun = true;
    if (pause <= 0 || p->speed == 0)
        return p->due_ms;
    if (p->max_idle_ms >= 0 && pause > p->max_idle_ms)
        pause = p->max_idle_ms;
    p->due_ms += (double)pause / p->speed;
    return p->due_ms;
}
