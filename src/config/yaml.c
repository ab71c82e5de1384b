/*
 * The YAML file: walks the document that libyaml builds along the option table.
 *
 * Keys may be nested (limits: {messages: 10}) or dotted (limits.messages: 10). Only known keys are
 * entered, so aliases that form a cycle or multiply a document cost nothing.
 */
#include <stdio.h>
#include <yaml.h>

#include "codec/json.h"
#include "config/loading.h"
#include "config/value.h"
#include "fanfare/error.h"

#define MAX_KEY 128

struct reading {
    struct config *config;
    const char *path;
    yaml_document_t document;
    struct problems *problems;
};

static bool enough(const struct reading *r)
{
    return r->problems->count >= CONFIG_MAX_PROBLEMS;
}

/* Begins a problem's line: "path:line: ". */
static struct buf *problem_at(struct reading *r, const yaml_mark_t *mark)
{
    r->problems->count++;
    buf_printf(r->problems->out, "%s:%zu: ", r->path, mark->line + 1);
    return r->problems->out;
}

static struct slice scalar_of(const yaml_node_t *node)
{
    return slice_of((const char *)node->data.scalar.value, node->data.scalar.length);
}

/* An empty plain scalar, "~" and "null" stand for nothing (YAML 1.1, null type). */
static bool is_nothing(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    struct slice text = scalar_of(node);
    return text.len == 0 || slice_is(text, "~") || slice_is_nocase(text, "null");
}

static const char *node_kind(const yaml_node_t *node)
{
    if (is_nothing(node))
        return "nothing";
    return node->type == YAML_MAPPING_NODE    ? "a section"
           : node->type == YAML_SEQUENCE_NODE ? "a list"
                                              : "a text";
}

static void wrong_kind(struct reading *r, const struct option *o, const yaml_node_t *node)
{
    struct buf *out = problem_at(r, &node->start_mark);
    buf_printf(out, "%s: expected ", o->name);
    value_append_expected(out, o);
    buf_printf(out, ", got %s\n", node_kind(node));
}

/* Sets a list from a sequence of scalars. */
static int set_sequence(struct reading *r, const struct option *o, const yaml_node_t *node,
                        struct buf *why)
{
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    int error = value_set(r->config, o, NULL, 0, why);
    for (size_t i = 0; i < count && !error; i++) {
        const yaml_node_t *item =
            yaml_document_get_node(&r->document, node->data.sequence.items.start[i]);
        if (item->type == YAML_SCALAR_NODE && !is_nothing(item)) {
            error = value_add(r->config, o, scalar_of(item), why);
        } else {
            buf_printf(why, "expected a list of texts, but item %zu is %s", i + 1, node_kind(item));
            error = FAN_E_INVALID;
        }
    }
    return error;
}

static void set_option(struct reading *r, const struct option *o, const yaml_node_t *key,
                       const yaml_node_t *node)
{
    struct origin *origin = origin_of(r->config, o);
    bool list = node->type == YAML_SEQUENCE_NODE && o->type == OPTION_LIST;
    if (origin->kind == ORIGIN_FILE) {
        buf_printf(problem_at(r, &key->start_mark), "%s stands twice, first on line %u\n", o->name,
                   origin->line);
        return;
    }
    if (!list && (node->type != YAML_SCALAR_NODE || is_nothing(node))) {
        wrong_kind(r, o, node);
        return;
    }
    struct buf why = {0};
    if (list ? set_sequence(r, o, node, &why)
             : value_set_text(r->config, o, scalar_of(node), &why)) {
        buf_printf(problem_at(r, &node->start_mark), "%s: ", o->name);
        buf_append_slice(r->problems->out, buf_slice(&why));
        BUF_LITERAL(r->problems->out, "\n");
    }
    buf_fini(&why);
    *origin = (struct origin){.kind = ORIGIN_FILE, .line = (unsigned)key->start_mark.line + 1};
}

static void unknown_key(struct reading *r, struct slice name, const yaml_node_t *key)
{
    struct buf *out = problem_at(r, &key->start_mark);
    BUF_LITERAL(out, "unknown key ");
    json_append_lossy(out, name.len > 80 ? slice_of(name.ptr, 80) : name);
    const char *suggestion = option_suggest(name);
    if (suggestion)
        buf_printf(out, " (did you mean \"%s\"?)", suggestion);
    BUF_LITERAL(out, "\n");
}

static void read_section(struct reading *r, struct slice prefix, const yaml_node_t *section);

static void read_key(struct reading *r, struct slice name, const yaml_node_t *key,
                     const yaml_node_t *value)
{
    const struct option *o = option_find(name);
    bool section = option_is_section(name);
    if (o && !slice_is(name, o->name))
        o = NULL; /* files have one spelling, so that a search finds it */
    if (section && (value->type == YAML_MAPPING_NODE || (!o && is_nothing(value))))
        read_section(r, name, value);
    else if (o)
        set_option(r, o, key, value);
    else if (section)
        buf_printf(problem_at(r, &value->start_mark), "%.*s: expected a section, got %s\n",
                   SLICE_ARG(name), node_kind(value));
    else
        unknown_key(r, name, key);
}

/* Whether the same key stands before pair `at`; that of a section would otherwise go unnoticed. */
static const yaml_node_t *earlier_key(struct reading *r, const yaml_node_t *section,
                                      const yaml_node_pair_t *at, struct slice name)
{
    for (const yaml_node_pair_t *p = section->data.mapping.pairs.start; p < at; p++) {
        const yaml_node_t *key = yaml_document_get_node(&r->document, p->key);
        if (key->type == YAML_SCALAR_NODE && slice_equal(scalar_of(key), name))
            return key;
    }
    return NULL;
}

/* A mapping whose keys begin with prefix ("" at the top). */
static void read_section(struct reading *r, struct slice prefix, const yaml_node_t *section)
{
    if (section->type != YAML_MAPPING_NODE)
        return;
    const yaml_node_pair_t *pair = section->data.mapping.pairs.start;
    for (; pair < section->data.mapping.pairs.top && !enough(r); pair++) {
        const yaml_node_t *key = yaml_document_get_node(&r->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(&r->document, pair->value);
        if (key->type != YAML_SCALAR_NODE) {
            buf_printf(problem_at(r, &key->start_mark), "expected the name of an option, got %s\n",
                       node_kind(key));
            continue;
        }
        struct slice own = scalar_of(key);
        const yaml_node_t *before = earlier_key(r, section, pair, own);
        char name[MAX_KEY];
        int n = snprintf(name, sizeof name, "%.*s%s%.*s", SLICE_ARG(prefix), prefix.len ? "." : "",
                         (int)(own.len < MAX_KEY ? own.len : MAX_KEY), own.ptr);
        struct slice path = slice_of(name, (size_t)(n < MAX_KEY ? n : MAX_KEY - 1));
        if (before)
            buf_printf(problem_at(r, &key->start_mark), "%.*s stands twice, first on line %zu\n",
                       SLICE_ARG(path), before->start_mark.line + 1);
        else
            read_key(r, path, key, value);
    }
}

static void read_document(struct reading *r)
{
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    if (!root || is_nothing(root))
        return; /* an empty file, or one that is all comments */
    if (root->type == YAML_MAPPING_NODE)
        read_section(r, SLICE(""), root);
    else
        buf_printf(problem_at(r, &root->start_mark), "expected lines of \"key: value\", got %s\n",
                   node_kind(root));
}

static void syntax_problem(const char *path, const yaml_parser_t *parser, struct problems *problems)
{
    const yaml_mark_t *mark = &parser->problem_mark;
    problems->count++;
    if (parser->error == YAML_MEMORY_ERROR)
        buf_printf(problems->out, "%s: out of memory\n", path);
    else if (parser->error == YAML_READER_ERROR)
        buf_printf(problems->out, "%s: not UTF-8 text: %s at byte %zu\n", path, parser->problem,
                   parser->problem_offset);
    else
        buf_printf(problems->out, "%s:%zu: not YAML: %s (column %zu)\n", path, mark->line + 1,
                   parser->problem ? parser->problem : "unreadable", mark->column + 1);
}

/* Whether something follows the first document. */
static void refuse_second(struct reading *r, yaml_parser_t *parser)
{
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second)) {
        syntax_problem(r->path, parser, r->problems);
        return;
    }
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    if (root)
        buf_printf(problem_at(r, &root->start_mark), "expected one document, found a second\n");
    yaml_document_delete(&second);
}

void yaml_read(struct config *c, const char *path, struct slice text, struct problems *problems)
{
    struct reading r = {.config = c, .path = path, .problems = problems};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        problems->count++;
        buf_printf(problems->out, "%s: out of memory\n", path);
        return;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text.len ? text.ptr : ""),
                                 text.len);
    if (yaml_parser_load(&parser, &r.document)) {
        bool some = yaml_document_get_root_node(&r.document) != NULL;
        read_document(&r);
        yaml_document_delete(&r.document);
        if (some && !enough(&r))
            refuse_second(&r, &parser);
    } else {
        syntax_problem(path, &parser, problems);
    }
    yaml_parser_delete(&parser);
}
