/* Asking a server for a sample; see top_fetch.h. */
#include "cli/top_fetch.h"

#include "base/clock.h"
#include "fanfare/error.h"

#define ANSWER_MS 5000

/* FAN_E_INVALID: it answers, but not as this program's server does. */
static int not_ours(const struct remote *remote, struct buf *why)
{
    buf_clear(why);
    buf_printf(why, "%s: the answer is not a Fanfare server's", remote->url);
    return FAN_E_INVALID;
}

static int fetch_health(const struct remote *remote, struct top_sample *sample, struct buf *why)
{
    struct buf text = {0};
    int error = remote_get(remote, SLICE("/health"), ANSWER_MS, &text, why);
    if (!error && top_read_health(sample, &text) != 0)
        error = not_ours(remote, why);
    buf_fini(&text);
    return error;
}

static int fetch_topics(const struct remote *remote, struct top_sample *sample, struct buf *why)
{
    struct buf text = {0};
    int error = remote_get(remote, SLICE("/api/v1/topics"), ANSWER_MS, &text, why);
    if (!error && top_read_topics(sample, &text) != 0)
        error = not_ours(remote, why);
    buf_fini(&text);
    return error;
}

static int fetch_metrics(const struct remote *remote, struct top_sample *sample, struct buf *why)
{
    struct buf text = {0};
    int error = remote_get(remote, SLICE("/metrics"), ANSWER_MS, &text, why);
    if (!error)
        top_read_metrics(sample, buf_slice(&text));
    else if (error == FAN_E_DENIED)
        error = 0; /* what the other two say is shown without it */
    buf_fini(&text);
    return error;
}

int top_fetch(const struct remote *remote, struct top_sample *sample, struct buf *why)
{
    *sample = (struct top_sample){.wall_ms = clock_wall_ms()};
    int error = fetch_health(remote, sample, why);
    if (!error)
        error = fetch_topics(remote, sample, why);
    sample->at_ms = clock_ms();
    if (!error)
        error = fetch_metrics(remote, sample, why);
    return error;
}
