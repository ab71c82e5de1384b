/*
 * Prints what happens in a project: checkpoints, context files, artifacts. No server is needed.
 *
 *   watch_print [PROJECT]
 *
 * Ends when its input does (Ctrl-D).
 */
#include <fanfare/watcher.h>
#include <stdio.h>

static void print(void *arg, const char *type, const char *data, size_t size)
{
    (void)arg;
    printf("%s %.*s\n", type, (int)size, data);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *project = argc > 1 ? argv[1] : ".";
    struct fan_watcher *watcher;
    struct fan_watcher_error error;
    const struct fan_watcher_options options = {.path = project, .event = print};
    if (fan_watcher_new(&options, &watcher, &error) != 0) {
        fprintf(stderr, "watch_print: %s\n", error.message);
        return 1;
    }
    printf("watching %s%s\n", project, fan_watcher_is_polling(watcher) ? " at intervals" : "");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    fan_watcher_free(watcher);
    return 0;
}
