/* The topics of a server as candidates; see complete.h. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/complete.h"
#include "cli/remote.h"
#include "cli/top_sample.h"

#define ANSWER_MS 300

/* Nobody waits for a completion. Name resolution knows no limit of time, hence the alarm. */
static void give_up(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

static bool find_server(struct remote *remote, const char *url, const char *token)
{
    struct buf why = {0};
    if (!url || !*url)
        url = getenv("FANFARE_URL");
    if (!token || !*token)
        token = getenv("FANFARE_TOKEN");
    *remote = (struct remote){.url = url && *url ? url : "http://127.0.0.1:8000",
                              .token = token && *token ? token : NULL};
    remote->target.wake = -1;
    remote->target.timeout_ms = ANSWER_MS;
    bool found = url_parse(remote->url, &remote->target.url, &why) == 0;
    buf_fini(&why);
    return found;
}

static void append_topics(struct buf *out, const struct top_sample *sample, struct slice before,
                          struct slice prefix, const char *skip)
{
    size_t n = strlen(skip);
    for (size_t i = 0; i < sample->topic_count; i++) {
        const struct top_topic *t = &sample->topics[i];
        if (!slice_starts(t->name, skip))
            continue;
        struct slice name = slice_skip(t->name, n);
        if (name.len < prefix.len || (prefix.len && memcmp(name.ptr, prefix.ptr, prefix.len) != 0))
            continue;
        buf_printf(out, "%.*s%.*s\t%llu events\n", SLICE_ARG(before), SLICE_ARG(name),
                   (unsigned long long)t->offset);
    }
}

void complete_topics(struct buf *out, const char *url, const char *token, struct slice before,
                     struct slice prefix, const char *skip)
{
    struct remote remote;
    struct top_sample sample = {0};
    struct buf text = {0}, why = {0};
    signal(SIGALRM, give_up);
    alarm(1);
    if (find_server(&remote, url, token) &&
        remote_get(&remote, SLICE("/api/v1/topics"), ANSWER_MS, &text, &why) == 0 &&
        top_read_topics(&sample, &text) == 0)
        append_topics(out, &sample, before, prefix, skip);
    alarm(0);
    top_sample_fini(&sample);
    buf_fini(&text);
    buf_fini(&why);
}
