/* What is described and what is served are the same: every route has a description, every
 * description a handler. */
#include "../test.h"

#include "api/api.h"
#include "dialect/dialect.h"

static bool is_served(const struct route_doc *doc)
{
    unsigned count;
    const struct api_route *routes = api_routes(&count);
    for (unsigned i = 0; i < count; i++)
        if (routes[i].method == doc->method && strcmp(routes[i].path, doc->path) == 0)
            return routes[i].handle != NULL;
    for (unsigned i = 0; i < dialect_count(); i++)
        if ((doc->method == HTTP_GET || dialect_at(i)->claims) &&
            strcmp(dialect_at(i)->path, doc->path) == 0)
            return true;
    return false;
}

static void test_every_description_is_served(void **state)
{
    (void)state;
    unsigned count;
    const struct route_doc *docs = route_docs(&count);
    for (unsigned i = 0; i < count; i++)
        if (!is_served(&docs[i]))
            fail_msg("%s is described but not served", docs[i].path);
}

static void test_every_route_is_described(void **state)
{
    (void)state;
    unsigned count;
    const struct api_route *routes = api_routes(&count);
    for (unsigned i = 0; i < count; i++)
        if (!route_doc_find(routes[i].method, routes[i].path))
            fail_msg("%s is served but not described", routes[i].path);
    for (unsigned i = 0; i < dialect_count(); i++)
        if (!route_doc_find(HTTP_GET, dialect_at(i)->path))
            fail_msg("%s is served but not described", dialect_at(i)->path);
}

static void test_dialects_have_numbers_of_their_own(void **state)
{
    (void)state;
    unsigned seen = 0;
    assert_true(dialect_count() <= HUB_MAX_DIALECTS);
    for (unsigned i = 0; i < dialect_count(); i++) {
        assert_true(dialect_at(i)->index < DIALECT_FREE);
        assert_false(seen & 1u << dialect_at(i)->index);
        seen |= 1u << dialect_at(i)->index;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_description_is_served),
        cmocka_unit_test(test_every_route_is_described),
        cmocka_unit_test(test_dialects_have_numbers_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
