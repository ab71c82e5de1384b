/* What a name in a watched directory stands for; see watch_name.h. */
#include "source/watch_name.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>

static const struct {
    const char *name;
    enum watch_dir_kind kind;
} in_base[3] = {
    {"checkpoints", WATCH_CHECKPOINTS},
    {"context", WATCH_CONTEXT},
    {"artifacts", WATCH_ARTIFACTS},
};

/* Files that stand beside the real one while it is written or open: Vim, Emacs, Kate, gedit,
 * JetBrains, Office, downloads. */
static const char *const temporary[] = {
    "*~",   "#*#",        ".#*",           ".*.sw?",           ".sw?",         "*.tmp",  "*.temp",
    "4913", "*.kate-swp", "*___jb_???___", ".goutputstream-*", "*.crdownload", "*.part", "~$*",
};

/* ".NAME.Xx3y4z": what rsync and mkstemp make beside NAME. Six lower-case letters are taken for
 * a real ending, as in ".app.config". */
static bool has_random_suffix(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (name[0] != '.' || dot == name || strlen(dot + 1) != 6)
        return false;
    bool random = false;
    for (const char *p = dot + 1; *p; p++) {
        if (!isalnum((unsigned char)*p))
            return false;
        random = random || !islower((unsigned char)*p);
    }
    return random;
}

static bool is_temporary(const char *name)
{
    for (size_t i = 0; i < sizeof temporary / sizeof *temporary; i++)
        if (fnmatch(temporary[i], name, 0) == 0)
            return true;
    return has_random_suffix(name);
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t len = strlen(name), n = strlen(suffix);
    return len > n && strcmp(name + len - n, suffix) == 0;
}

enum watch_file_kind watch_file_kind(enum watch_dir_kind dir, const char *name)
{
    if (dir == WATCH_PROJECT || dir == WATCH_BASE || is_temporary(name))
        return WATCH_NOTHING;
    if (dir == WATCH_ARTIFACTS)
        return WATCH_OTHER;
    if (name[0] == '.')
        return WATCH_NOTHING;
    if (dir == WATCH_CHECKPOINTS && ends_with(name, ".json"))
        return WATCH_CHECKPOINT;
    if (dir == WATCH_CONTEXT && ends_with(name, ".md"))
        return WATCH_TEXT;
    return WATCH_OTHER;
}

bool watch_dir_kind(enum watch_dir_kind parent, const char *base, const char *name,
                    enum watch_dir_kind *kind)
{
    if (parent == WATCH_PROJECT) {
        *kind = WATCH_BASE;
        return strcmp(name, base) == 0;
    }
    if (parent == WATCH_ARTIFACTS) {
        *kind = WATCH_ARTIFACTS;
        return true;
    }
    for (size_t i = 0; parent == WATCH_BASE && i < 3; i++) {
        *kind = in_base[i].kind;
        if (strcmp(name, in_base[i].name) == 0)
            return true;
    }
    return false;
}

size_t watch_dir_names(enum watch_dir_kind parent, const char *base, const char *names[3])
{
    if (parent == WATCH_PROJECT) {
        names[0] = base;
        return 1;
    }
    for (size_t i = 0; parent == WATCH_BASE && i < 3; i++)
        names[i] = in_base[i].name;
    return parent == WATCH_BASE ? 3 : 0;
}
