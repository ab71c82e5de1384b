/* Where events go whose publishers name no topic: the catalogue's routes, followed. */
#include "../test.h"

#include "fanfare/error.h"
#include "hub/event_route.h"

#define ID "550e8400-e29b-41d4-a716-446655440000"

/* The names, with commas between. */
static int route(const char *type, const char *data, struct buf *out, struct event_check *check)
{
    unsigned count, found = 0;
    const struct event_type *row = catalogue_find(slice_from(type));
    assert_true(event_has_routes(row));
    buf_clear(out);
    int error = event_route(row, slice_from(data), out, &count, check);
    if (error)
        return error;
    for (size_t i = 0; i < out->len; i++)
        if (out->data[i] == '\0') {
            out->data[i] = ',';
            found++;
        }
    assert_int_equal(count, found);
    out->len--;
    return 0;
}

static void assert_goes(const char *type, const char *data, const char *topics)
{
    struct buf out = {0};
    struct event_check check;
    assert_int_equal(route(type, data, &out, &check), 0);
    assert_string_equal(buf_text(&out), topics);
    buf_fini(&out);
}

static void test_both_topics(void **state)
{
    (void)state;
    assert_goes("project.updated", "{\"project_id\":\"" ID "\",\"updated_by\":\"ada\"}",
                "project:" ID ",user:ada");
    assert_goes("project.deleted", "{\"project_id\":\"" ID "\",\"deleted_by\":\"ada\"}",
                "project:" ID ",user:ada");
    assert_goes("agent.connected", "{\"agent_id\":\"" ID "\"}", "agent:" ID ",global");
    assert_goes("issue.closed", "{\"project_id\":\"" ID "\",\"assigned_to\":\"bob\"}",
                "project:" ID ",user:bob");
}

static void test_what_is_not_there_leads_nowhere(void **state)
{
    (void)state;
    assert_goes("project.updated", "{\"project_id\":\"" ID "\",\"updated_by\":null}",
                "project:" ID);
    assert_goes("project.updated", "{\"project_id\":\"" ID "\",\"updated_by\":\"\"}",
                "project:" ID);
    assert_goes("issue.created", "{\"assigned_to\":\"bob\"}", "user:bob");
}

static void test_otherwise_global(void **state)
{
    (void)state;
    assert_goes("workflow.progress", "{\"project_id\":\"" ID "\"}", "project:" ID);
    assert_goes("workflow.progress", "{}", "global");
    assert_goes("pr.created", "{\"pr_id\":1}", "global");
    assert_goes("issue.created", "{}", "global");
    assert_goes("ai.suggestion", "{\"project_id\":null}", "global");
    assert_goes("ai.analysis_complete", "{\"project_id\":\"" ID "\"}", "project:" ID);
}

static void test_ids_in_one_form(void **state)
{
    (void)state;
    assert_goes("agent.connected", "{\"agent_id\":\"550E8400-E29B-41D4-A716-446655440000\"}",
                "agent:" ID ",global");
    assert_goes("project.updated", "{\"project_id\":\"" ID "\",\"updated_by\":\"Ada L\\u00e9\"}",
                "project:" ID ",user:Ada%20L%C3%A9");
    assert_goes("project.updated", "{\"project_id\":\"x\",\"project_id\":\"" ID "\"}",
                "project:" ID);
}

static void test_what_cannot_be_a_topic(void **state)
{
    (void)state;
    struct buf out = {0}, data = {0};
    struct event_check check;
    buf_append_text(&data, "{\"project_id\":\"" ID "\",\"updated_by\":\"");
    for (int i = 0; i < 200; i++)
        buf_append_text(&data, " ");
    buf_append_text(&data, "\"}");
    assert_int_equal(route("project.updated", buf_text(&data), &out, &check), FAN_E_INVALID);
    assert_string_equal(check.field, "updated_by");
    assert_string_equal(check.message, "updated_by is too long for the name of a user's topic");
    assert_int_equal(route("project.updated", "{}", &out, &check), FAN_E_INVALID);
    assert_string_equal(check.message, "project_id is needed when no topic is named");
    buf_fini(&data);
    buf_fini(&out);
}

static void test_table_is_sound(void **state)
{
    (void)state;
    for (unsigned i = 0; i < catalogue_count(); i++) {
        const struct event_type *type = catalogue_at(i);
        assert_true(type->route_count <= EVENT_ROUTES_MAX);
        for (unsigned k = 0; k < type->route_count; k++) {
            const struct event_route *r = &type->routes[k];
            bool found = r->kind == TOPIC_GLOBAL && !r->field;
            for (unsigned f = 0; r->field && f < type->field_count; f++)
                found |= slice_is(type->fields[f].name, r->field);
            assert_true(found);
            assert_true(r->otherwise || type->topics & TOPIC_BIT(r->kind));
        }
        if (type->route_count)
            assert_goes(type->name.ptr, type->example,
                        type->routes[0].kind == TOPIC_AGENT ? "agent:" ID ",global"
                        : strstr(type->example, "updated_by") ||
                                strstr(type->example, "deleted_by") ||
                                strstr(type->example, "assigned_to")
                            ? "project:" ID ",user:ada"
                        : strstr(type->example, "project_id") ? "project:" ID
                                                              : "global");
    }
    assert_false(event_has_routes(catalogue_find(SLICE("component_update"))));
    assert_false(event_has_routes(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_topics),
        cmocka_unit_test(test_what_is_not_there_leads_nowhere),
        cmocka_unit_test(test_otherwise_global),
        cmocka_unit_test(test_ids_in_one_form),
        cmocka_unit_test(test_what_cannot_be_a_topic),
        cmocka_unit_test(test_table_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
