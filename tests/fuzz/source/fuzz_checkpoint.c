/* Any bytes as a checkpoint: refused with a position, or read and written back as valid JSON. */
#include <stdlib.h>

#include "codec/json.h"
#include "fanfare/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(char *text)
{
    struct json_value value;
    if (!text || json_parse(slice_from(text), &value, NULL) != 0)
        abort();
    fan_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fan_checkpoint *checkpoint;
    struct fan_checkpoint_error error = {.line = 0};
    if (fan_checkpoint_parse((const char *)data, size, "fuzz.json", &checkpoint, &error) != 0) {
        if (checkpoint || error.line == 0 || error.column == 0 || error.message[0] == '\0')
            abort();
        return 0;
    }
    double percentage = fan_checkpoint_completion_percentage(checkpoint);
    if (!(percentage >= 0 && percentage <= 100))
        abort();
    check_json(fan_checkpoint_json(checkpoint));
    check_json(fan_checkpoint_summary(checkpoint));
    check_json(fan_checkpoint_component_updates(checkpoint));
    check_json(fan_checkpoint_feature_updates(checkpoint));
    fan_checkpoint_free(checkpoint);
    return 0;
}
