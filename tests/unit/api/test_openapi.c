/* The generated documents: well-formed, complete, every reference leads somewhere. */
#include "../test.h"

#include <stdio.h>

#include "api/embedded.h"
#include "api/event_schema.h"
#include "api/openapi.h"
#include "api/page_policy.h"
#include "base/memory.h"

static struct json_value parse(struct buf *text)
{
    struct json_value value;
    struct json_error error;
    assert_false(text->failed);
    if (json_parse(buf_slice(text), &value, &error) != 0)
        fail_msg("at %zu: %s: …%.60s", error.at, error.message, buf_text(text) + error.at);
    return value;
}

/* Follows "a/b/c" from an object; ~1 stands for a slash (RFC 6901). */
static bool follow(struct json_value value, struct slice path, struct json_value *out)
{
    struct slice part;
    while (slice_split(&path, '/', &part)) {
        struct buf name = {0};
        for (size_t i = 0; i < part.len; i++) {
            bool slash = part.ptr[i] == '~' && part.ptr[i + 1] == '1';
            buf_append_char(&name, slash ? '/' : part.ptr[i]);
            i += slash;
        }
        bool found = value.kind == JSON_OBJECT && json_find(value, buf_slice(&name), &value);
        buf_fini(&name);
        if (!found)
            return false;
    }
    *out = value;
    return true;
}

/* Checks all references below; returns their number. No object may name a member twice. */
static unsigned check_references(struct json_value root, struct json_value value)
{
    unsigned count = 0;
    struct json_value inner;
    if (value.kind == JSON_ARRAY) {
        struct json_iter it = json_elements(value);
        while (json_next_element(&it, &inner))
            count += check_references(root, inner);
    }
    if (value.kind != JSON_OBJECT)
        return count;
    struct json_iter it = json_members(value);
    struct json_member member;
    while (json_next_member(&it, &member)) {
        assert_true(json_find(value, member.name, &inner));
        assert_ptr_equal(inner.text.ptr, member.value.text.ptr);
        if (json_name_is(&member, SLICE("$ref"))) {
            struct slice target;
            assert_true(json_string_plain(member.value, &target));
            assert_true(slice_starts(target, "#/"));
            if (!follow(root, slice_skip(target, 2), &inner))
                fail_msg("%.*s leads nowhere", SLICE_ARG(target));
            count++;
        }
        count += check_references(root, member.value);
    }
    return count;
}

static void openapi(struct buf *out)
{
    unsigned count;
    const struct route_doc *docs = route_docs(&count);
    const struct route_doc *routes[64];
    assert_in_range(count, 1, 64);
    for (unsigned i = 0; i < count; i++)
        routes[i] = &docs[i];
    openapi_append(out, routes, count, "1.2.3", "http://127.0.0.1:8000");
}

static void test_openapi_has_every_route(void **state)
{
    (void)state;
    struct buf out = {0};
    openapi(&out);
    struct json_value root = parse(&out), paths, path, operation, id;
    assert_true(json_find(root, SLICE("paths"), &paths));
    unsigned count, found = 0;
    const struct route_doc *docs = route_docs(&count);
    for (unsigned i = 0; i < count; i++) {
        char method[16] = "";
        const char *name = http_method_name(docs[i].method);
        for (size_t k = 0; name[k]; k++)
            method[k] = (char)(name[k] + 32);
        assert_true(json_find(paths, slice_from(docs[i].path), &path));
        assert_true(json_find(path, slice_from(method), &operation));
        assert_true(json_find(operation, SLICE("operationId"), &id));
        assert_true(json_string_is(id, docs[i].id));
        assert_ptr_equal(route_doc_find(docs[i].method, docs[i].path), &docs[i]);
        found++;
    }
    assert_int_equal(found, count);
    assert_null(route_doc_find(HTTP_PUT, "/health"));
    assert_in_range(check_references(root, root), 30, 1000);
    buf_fini(&out);
}

/* Each path parameter stands in its template, and the other way round; ids are unique. */
static void test_route_docs_are_sound(void **state)
{
    (void)state;
    unsigned count;
    const struct route_doc *docs = route_docs(&count);
    for (unsigned i = 0; i < count; i++) {
        unsigned braces = 0, in_path = 0;
        for (const char *c = docs[i].path; *c; c++)
            braces += *c == '{';
        for (unsigned k = 0; k < docs[i].parameter_count; k++) {
            char place[64];
            const struct route_parameter *parameter = &docs[i].parameters[k];
            snprintf(place, sizeof place, "{%s}", parameter->name);
            assert_int_equal(parameter->in == IN_PATH, !!strstr(docs[i].path, place));
            in_path += parameter->in == IN_PATH;
        }
        assert_int_equal(braces, in_path);
        assert_in_range(docs[i].answer_count, 1, 20);
        assert_non_null(docs[i].summary);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(docs[i].id, docs[k].id);
    }
}

static void test_asyncapi(void **state)
{
    (void)state;
    struct buf out = {0};
    asyncapi_append(&out, "1.2.3", "https://example.com:8443/fan");
    struct json_value root = parse(&out), value;
    assert_in_range(check_references(root, root), 60, 2000);
    assert_true(follow(root, SLICE("servers/here/host"), &value));
    assert_true(json_string_is(value, "example.com:8443"));
    assert_true(follow(root, SLICE("servers/here/pathname"), &value));
    assert_true(json_string_is(value, "/fan"));
    assert_true(follow(root, SLICE("servers/here/protocol"), &value));
    assert_true(json_string_is(value, "wss"));
    static const struct {
        const char *name;
        unsigned topics;
    } endpoints[] = {{"build", TOPIC_BIT(TOPIC_SESSION)},
                     {"ide", TOPIC_BIT(TOPIC_SESSION)},
                     {"rooms", TOPIC_BIT(TOPIC_PROJECT) | TOPIC_BIT(TOPIC_GLOBAL)}};
    for (unsigned i = 0; i < catalogue_count() * 3; i++) {
        const struct event_type *type = catalogue_at(i / 3);
        char path[128];
        snprintf(path, sizeof path, "channels/%s/messages/%s", endpoints[i % 3].name,
                 type->name.ptr);
        bool usual = (type->topics & endpoints[i % 3].topics) != 0;
        assert_int_equal(follow(root, slice_from(path), &value), usual);
    }
    for (unsigned i = 0; i < catalogue_channel_count(); i++) {
        char path[128];
        snprintf(path, sizeof path, "channels/channels/messages/%s",
                 catalogue_channel_at(i)->name.ptr);
        assert_true(follow(root, slice_from(path), &value));
    }
    assert_true(follow(root, SLICE("channels/ide/messages/session_state"), &value));
    assert_true(follow(root, SLICE("channels/channels/messages/response"), &value));
    assert_true(follow(root, SLICE("channels/build/messages/resume_failed"), &value));
    buf_clear(&out);
    asyncapi_append(&out, "1.2.3", "http://127.0.0.1:8000");
    root = parse(&out);
    assert_true(follow(root, SLICE("servers/here/host"), &value));
    assert_true(json_string_is(value, "127.0.0.1:8000"));
    assert_false(follow(root, SLICE("servers/here/pathname"), &value));
    buf_fini(&out);
}

static void test_without_memory(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth < 30; nth++) {
        struct buf out = {0};
        memory_fail_nth(nth);
        asyncapi_append(&out, "1", "http://a");
        memory_fail_nth(0);
        buf_fini(&out);
    }
}

static void expect_fresh(const char *name, struct buf *expected)
{
    struct buf found = {0};
    char path[512], piece[4096];
    snprintf(path, sizeof path, TEST_SOURCE "/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;)
        buf_append(&found, piece, n);
    fclose(file);
    if (!slice_equal(buf_slice(expected), buf_slice(&found)))
        fail_msg("%s is stale: make docs", name);
    buf_fini(expected);
    buf_fini(&found);
}

static void test_generated_files_are_fresh(void **state)
{
    (void)state;
    struct buf doc = {0}, types = {0};
    events_doc_append(&doc);
    expect_fresh("docs/events.md", &doc);
    events_types_append(&types);
    expect_fresh("web/client/src/events.ts", &types);
}

static void test_embedded_pages(void **state)
{
    (void)state;
    const struct embedded_file *page = embedded_find(embedded_pages, SLICE("/docs"));
    assert_non_null(page);
    assert_string_equal(page->media, "text/html; charset=utf-8");
    assert_true(slice_starts(page->content, "<!doctype html>"));
    assert_int_equal(page->content.ptr[page->content.len - 1], '\n');
    assert_int_equal(strlen(page->etag), 22);
    assert_non_null(embedded_find(embedded_pages, SLICE("/docs/docs.js")));
    assert_non_null(embedded_find(embedded_pages, SLICE("/docs/docs.css")));
    assert_null(embedded_find(embedded_pages, SLICE("/docs/")));
    struct json_value schemas;
    assert_int_equal(json_parse(embedded_schemas[0].content, &schemas, NULL), 0);
}

static void test_page_policy(void **state)
{
    (void)state;
    struct buf out = {0};
    page_policy_append(SLICE("<style>a</style><script src=\"x\"></script><script "
                             "type=module>alert('Hello, world.');</script>"),
                       "ws:", &out);
    assert_string_equal(
        buf_text(&out),
        "default-src 'none'; script-src 'self' "
        "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='; style-src 'self' "
        "'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='; img-src 'self' data:; "
        "connect-src 'self' ws:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    buf_clear(&out);
    page_policy_append(SLICE("<script>never closed"), NULL, &out);
    assert_null(strstr(buf_text(&out), "sha256"));
    buf_fini(&out);
}

static void test_route_match(void **state)
{
    (void)state;
    struct slice values[2];
    assert_true(route_match("/", SLICE("/"), values, 2));
    assert_true(route_match("/health", SLICE("/health"), values, 0));
    assert_true(route_match("/health", SLICE("/he%61lth"), values, 0));
    assert_false(route_match("/health", SLICE("/health/"), values, 2));
    assert_false(route_match("/health", SLICE("/healthy"), values, 2));
    assert_false(route_match("/health", SLICE("/"), values, 2));
    assert_false(route_match("/health", SLICE(""), values, 2));
    assert_false(route_match("/health", SLICE("/he%6lth"), values, 2));
    const char *history = "/api/v1/topics/{topic}/history";
    assert_true(route_match(history, SLICE("/api/v1/topics/session:a%2Fb/history"), values, 2));
    assert_true(slice_is(values[0], "session:a%2Fb"));
    assert_false(route_match(history, SLICE("/api/v1/topics/session:a/b/history"), values, 2));
    assert_false(route_match(history, SLICE("/api/v1/topics//history"), values, 2));
    assert_false(route_match(history, SLICE("/api/v1/topics/a/presence"), values, 2));
    assert_false(route_match(history, SLICE("/api/v1/topics/a/history"), values, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openapi_has_every_route),
        cmocka_unit_test(test_route_docs_are_sound),
        cmocka_unit_test(test_asyncapi),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_generated_files_are_fresh),
        cmocka_unit_test(test_embedded_pages),
        cmocka_unit_test(test_page_policy),
        cmocka_unit_test(test_route_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
