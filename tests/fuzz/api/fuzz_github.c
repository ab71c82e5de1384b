/*
 * Webhooks as somebody sends them who has the secret, and repository addresses as people write
 * them. What is published must be valid JSON and fit its type; an address in its one form stays as
 * it is.
 */
#include "../fuzz.h"

#include "api/github_event.h"
#include "api/repository_url.h"
#include "hub/event_route.h"

#define PROJECT "550e8400-e29b-41d4-a716-446655440000"

static void check_address(struct slice url)
{
    struct buf once = {0}, twice = {0};
    if (repository_url_append(&once, url) == 0) {
        FUZZ_CHECK(once.len > 2 && memchr(once.data, '/', once.len));
        if (repository_url_append(&twice, buf_slice(&once)) == 0)
            FUZZ_CHECK(twice.len <= once.len);
    } else {
        FUZZ_CHECK(once.len == 0);
    }
    buf_fini(&once);
    buf_fini(&twice);
}

static void check_event(const char *name, struct json_value payload)
{
    const struct github_event *kind = github_event_find(slice_from(name));
    const char *type = github_event_type(kind, payload);
    struct buf data = {0}, names = {0}, replacement = {0};
    struct event_check check = {0};
    struct json_value value;
    unsigned count;
    if (!type)
        return;
    const struct event_type *row = catalogue_find(slice_from(type));
    FUZZ_CHECK(row != NULL);
    github_event_append(kind, payload, PROJECT, &data);
    FUZZ_CHECK(json_parse(buf_slice(&data), &value, NULL) == 0 && value.kind == JSON_OBJECT);
    FUZZ_CHECK(event_validate(row, buf_slice(&data), &replacement, &check) == 0);
    if (event_route(row, buf_slice(&data), &names, &count, &check) == 0)
        FUZZ_CHECK(count > 0 && strcmp(names.data, "project:" PROJECT) == 0);
    buf_fini(&data);
    buf_fini(&names);
    buf_fini(&replacement);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(slice_of((const char *)data, size));
    struct slice text = slice_of(copy, size);
    struct json_value payload;
    struct buf repository = {0};
    check_address(text);
    if (json_parse(text, &payload, NULL) == 0 && payload.kind == JSON_OBJECT) {
        check_event("pull_request", payload);
        check_event("issues", payload);
        github_event_repository(payload, &repository);
    }
    buf_fini(&repository);
    free(copy);
    return 0;
}
