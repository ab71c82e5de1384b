/* One form for all spellings of a repository's address. */
#include "../test.h"

#include "api/repository_url.h"
#include "fanfare/error.h"

static void assert_form(const char *url, const char *expected)
{
    struct buf out = {0};
    int error = repository_url_append(&out, slice_from(url));
    if (error != (expected ? 0 : FAN_E_INVALID))
        fail_msg("%s: %d", url, error);
    assert_string_equal(buf_text(&out), expected ? expected : "");
    buf_fini(&out);
}

static void test_spellings(void **state)
{
    (void)state;
    static const char *const same[] = {
        "https://github.com/ada/engine",
        "https://github.com/Ada/Engine.git",
        "http://www.github.com/ada/engine/",
        "https://GitHub.com:443/ada/engine.git/",
        "https://ada:secret@github.com/ada/engine?tab=readme#top",
        "git@github.com:ada/engine.git",
        "github.com:ada/engine",
        "ssh://git@github.com/ada/engine.git",
        "ssh://git@github.com:22/ada/engine",
        "git://github.com:9418/ada/engine.git",
        "git+ssh://git@github.com/ada/engine",
        "github.com/ada/engine",
        " https://github.com//ada/engine ",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_form(same[i], "github.com/ada/engine");
}

static void test_others_stay_others(void **state)
{
    (void)state;
    assert_form("https://git.example.com:8443/a/b", "git.example.com:8443/a/b");
    assert_form("https://gitlab.com/group/sub/project.git", "gitlab.com/group/sub/project");
    assert_form("https://github.com/ada/engine.github.io", "github.com/ada/engine.github.io");
    assert_form("https://github.com/ada/.git", "github.com/ada/");
}

static void test_no_addresses(void **state)
{
    (void)state;
    static const char *const none[] = {
        "",    "engine", "https://",   "https://x", "https://github.com", "https://github.com/",
        "://", "/a/b",   "https:///a", "git@host:", "https://h/.git",     "@:/"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_form(none[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_others_stay_others),
        cmocka_unit_test(test_no_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
