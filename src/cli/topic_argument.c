/* Topics as people type them; see topic_argument.h. */
#include "cli/topic_argument.h"

#include <string.h>

#include "cli/arguments.h"
#include "hub/topic_name.h"

int topic_argument_check(const struct command *command, const char *text)
{
    struct topic_name name;
    const char *why = NULL;
    struct buf session = {0};
    if (strchr(text, ':') || topic_name_parse(slice_from(text), &name, &why) == 0)
        return 0;
    buf_printf(&session, "session:%s", text);
    bool possible = topic_name_parse(buf_slice(&session), &name, NULL) == 0;
    int code =
        usage_error(command, "topic \"%s\": %s%s%s%s", text, why, possible ? "; did you mean " : "",
                    possible ? buf_text(&session) : "", possible ? "?" : "");
    buf_fini(&session);
    return code;
}
