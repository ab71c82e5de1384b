/* `fanfare store check`: is what is on disk whole? */
#include <stdio.h>

#include "cli/store_commands.h"
#include "cli/terminal.h"
#include "codec/json_writer.h"

/* A database that is damaged throughout would go on for long. */
#define PROBLEMS_MAX 100

struct report {
    struct buf text;
    bool json;
};

static void found(void *arg, const char *sentence)
{
    struct report *r = arg;
    if (r->json) {
        json_put_name(&r->text, NULL);
        json_append_lossy(&r->text, slice_from(sentence));
    } else {
        terminal_append_plain(&r->text, slice_from(sentence));
        buf_append_char(&r->text, '\n');
    }
}

static void append_verdict(struct report *r, struct store_offline *store, uint64_t count)
{
    if (r->json) {
        json_end(&r->text, ']');
        json_put_u64(&r->text, "count", count);
        json_put_bool(&r->text, "ok", count == 0);
        json_end(&r->text, '}');
    } else if (count == 0) {
        buf_printf(&r->text, "%s: all is well", buf_text(&store->path));
    } else {
        buf_printf(&r->text, "%s: %llu problem%s%s", buf_text(&store->path),
                   (unsigned long long)count, count == 1 ? "" : "s",
                   count > PROBLEMS_MAX ? "; the first of them stand above" : "");
    }
    buf_append_char(&r->text, '\n');
}

int store_check(const struct arguments *a, const struct config *config)
{
    struct store_offline store;
    struct report r = {.json = arguments_has(a, "json")};
    if (a->rest_count > 1)
        return usage_error(&store_command, "check takes no argument \"%s\"", a->rest[1]);
    int code = store_open_data(&store, config);
    if (!code) {
        if (r.json) {
            json_begin(&r.text, NULL, '{');
            json_put_text(&r.text, "path", buf_text(&store.path));
            json_begin(&r.text, "problems", '[');
        }
        uint64_t count = store_offline_check(&store, PROBLEMS_MAX, found, &r);
        append_verdict(&r, &store, count);
        code = terminal_write(stdout, &r.text) && count == 0 ? DONE : FAILED;
    }
    store_offline_close(&store);
    buf_fini(&r.text);
    return code;
}
