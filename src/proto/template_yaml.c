/*
 * Twice over the text. First its events: is it YAML, one document, without aliases (a small text
 * must not stand for a large tree) and tags? Then libyaml's tree, whose nodes know their lines, by
 * tables of keys: whatever is wrong is noted with the path of its key, and the walk goes on, so
 * that one reading tells all.
 */
#include "proto/template_yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/suggest.h"
#include "base/text.h"
#include "proto/permit.h"
#include "proto/url.h"

enum { TEXT_MAX_LEN = 2048, INTERVAL_MAX_SEC = 86400, THRESHOLD_MAX = 1000 };

struct reader {
    yaml_document_t doc;
    char key[96];
    struct template *t;
    struct template_yaml_problems *problems;
};

/* Reads the value of a key into the member at `dst`. */
typedef void read_fn(struct reader *r, const yaml_node_t *value, void *dst);

struct key {
    const char *name;
    size_t offset; /* of the member in the struct that the map is read into */
    read_fn *read;
    bool required;
};

enum { KEYS_MAX = 16 };

/* ---- what is wrong ---- */

__attribute__((format(printf, 4, 5))) static void problem(struct template_yaml_problems *problems,
                                                          size_t line, const char *key,
                                                          const char *fmt, ...)
{
    struct template_yaml_problem *p;
    va_list ap;

    if (problems->n >= TEMPLATE_YAML_PROBLEMS_MAX)
        return;
    p = &problems->list[problems->n++];
    p->line = (unsigned)line + 1;
    str_copy(p->key, sizeof(p->key), key);
    va_start(ap, fmt);
    vsnprintf(p->reason, sizeof(p->reason), fmt, ap);
    va_end(ap);
}

#define wrong(r, node, ...) problem((r)->problems, (node)->start_mark.line, (r)->key, __VA_ARGS__)

static int compare_lines(const void *a, const void *b)
{
    const struct template_yaml_problem *x = a, *y = b;

    return x->line < y->line ? -1 : x->line > y->line;
}

/* ---- the path of the key ---- */

/* Goes down; returns what leave() needs to come back up. */
static size_t enter(struct reader *r, const char *key)
{
    size_t len = strlen(r->key);

    snprintf(r->key + len, sizeof(r->key) - len, "%s%s", len ? "." : "", key);
    return len;
}

static size_t enter_item(struct reader *r, size_t index)
{
    size_t len = strlen(r->key);

    snprintf(r->key + len, sizeof(r->key) - len, "[%zu]", index);
    return len;
}

static void leave(struct reader *r, size_t len)
{
    r->key[len] = '\0';
}

/* ---- nodes ---- */

static const yaml_node_t *take(struct reader *r, int number)
{
    return yaml_document_get_node(&r->doc, number);
}

static struct span scalar(const yaml_node_t *node)
{
    return span_from(node->data.scalar.value, node->data.scalar.length);
}

/* Written without quotes: only then it can be a truth value or nothing. */
static bool is_plain(const yaml_node_t *node, const char *text)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           span_is(scalar(node), text);
}

static bool is_nothing(const yaml_node_t *node)
{
    return is_plain(node, "") || is_plain(node, "~") || is_plain(node, "null");
}

/* Text on one line; false: it is none, and that was noted. */
static bool take_text(struct reader *r, const yaml_node_t *node, struct span *ret)
{
    if (node->type != YAML_SCALAR_NODE || is_nothing(node)) {
        wrong(r, node, "needs a text");
        return false;
    }
    *ret = scalar(node);
    if (ret->len > TEXT_MAX_LEN) {
        wrong(r, node, "is longer than %d bytes", TEXT_MAX_LEN);
        return false;
    }
    if (text_has_control(*ret)) {
        wrong(r, node, "must not have line breaks or control characters");
        return false;
    }
    return true;
}

/* ---- maps ---- */

static int find_key(const struct key *keys, size_t n, struct span name)
{
    for (size_t i = 0; i < n; i++)
        if (span_is(name, keys[i].name))
            return (int)i;
    return -1;
}

static void unknown_key(struct reader *r, const yaml_node_t *node, const struct key *keys, size_t n)
{
    struct suggest s = {0};
    char typed[64];

    str_copy_span(typed, sizeof(typed), scalar(node));
    for (size_t i = 0; i < n; i++)
        suggest_offer(&s, typed, keys[i].name);
    if (s.best)
        wrong(r, node, "unknown key (did you mean %s?)", s.best);
    else
        wrong(r, node, "unknown key");
}

/* What is shown of a key that a person typed. */
static void key_text(const yaml_node_t *node, char *dst, size_t size)
{
    str_copy_span(dst, size, scalar(node));
    for (char *p = dst; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

static void read_pair(struct reader *r, const yaml_node_pair_t *pair, const struct key *keys,
                      size_t n, bool *given, void *dst)
{
    const yaml_node_t *name = take(r, pair->key);
    char text[64];
    size_t up;
    int i;

    if (name->type != YAML_SCALAR_NODE) {
        wrong(r, name, "a key must be a plain word");
        return;
    }
    key_text(name, text, sizeof(text));
    up = enter(r, text);
    i = find_key(keys, n, scalar(name));
    if (i < 0) {
        unknown_key(r, name, keys, n);
    } else if (given[i]) {
        wrong(r, name, "is given twice");
    } else {
        given[i] = true;
        keys[i].read(r, take(r, pair->value), (char *)dst + keys[i].offset);
    }
    leave(r, up);
}

static void read_map(struct reader *r, const yaml_node_t *node, const struct key *keys, size_t n,
                     void *dst)
{
    bool given[KEYS_MAX] = {0};

    if (node->type != YAML_MAPPING_NODE) {
        wrong(r, node, "needs keys below it, one \"key: value\" a line");
        return;
    }
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++)
        read_pair(r, p, keys, n, given, dst);
    for (size_t i = 0; i < n; i++)
        if (keys[i].required && !given[i]) {
            size_t up = enter(r, keys[i].name);
            wrong(r, node, "is missing");
            leave(r, up);
        }
}

/* ---- values ---- */

static void read_bool(struct reader *r, const yaml_node_t *value, void *dst)
{
    if (is_plain(value, "true") || is_plain(value, "false"))
        *(bool *)dst = is_plain(value, "true");
    else
        wrong(r, value, "must be true or false");
}

static void set_text(char **dst, struct span text)
{
    free(*dst);
    *dst = span_dup(text);
}

static void read_text(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct span text;

    if (take_text(r, value, &text))
        set_text(dst, text);
}

/* May have several lines. */
static void read_description(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct span text;

    if (value->type != YAML_SCALAR_NODE) {
        wrong(r, value, "needs a text");
        return;
    }
    text = scalar(value);
    if (text.len > TEXT_MAX_LEN)
        wrong(r, value, "is longer than %d bytes", TEXT_MAX_LEN);
    else if (memchr(text.p, '\0', text.len))
        wrong(r, value, "must not hold a NUL");
    else
        set_text(dst, text);
}

static void read_level(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct span text;

    if (take_text(r, value, &text) && share_level_parse(text, dst) < 0)
        wrong(r, value, "must be owner, users, authenticated or public");
}

static void read_cors(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct span text;

    if (take_text(r, value, &text) && cors_behavior_parse(text, dst) < 0)
        wrong(r, value, "must be simple or passthru");
}

static void read_rules(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct text_list *rules = dst;

    if (value->type != YAML_SEQUENCE_NODE) {
        wrong(r, value, "needs a list of HOST:PORT; [] permits nothing");
        return;
    }
    text_list_deinit(rules);
    for (const yaml_node_item_t *i = value->data.sequence.items.start;
         i < value->data.sequence.items.top; i++) {
        size_t up = enter_item(r, (size_t)(i - value->data.sequence.items.start));
        const yaml_node_t *item = take(r, *i);
        struct permit_rule rule;
        struct err err = ERR_INIT;
        struct span text;

        if (take_text(r, item, &text)) {
            if (permit_rule_parse(text, &rule, &err) < 0)
                wrong(r, item, "%s", err.text);
            else if (text_list_add(rules, text, POLICY_RULES_MAX) < 0)
                wrong(r, item, "is one rule too many: %d at most", POLICY_RULES_MAX);
        }
        leave(r, up);
    }
}

static void read_slug(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct err err = ERR_INIT;
    struct span text;

    if (!take_text(r, value, &text))
        return;
    if (name_parse(NAME_SLUG, text, dst, &err) < 0) {
        wrong(r, value, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < r->t->n_apps; i++)
        if (str_eq(r->t->apps[i].slug, dst))
            wrong(r, value, "is the slug of another app too");
}

/* False: it is no URL of the web, and that was noted. */
static bool check_url(struct reader *r, const yaml_node_t *value, struct span text)
{
    struct err err = ERR_INIT;
    struct url url;
    bool web;

    if (url_parse(text, &url, &err) < 0) {
        wrong(r, value, "%s", err.text);
        return false;
    }
    web = url.scheme == URL_HTTP || url.scheme == URL_HTTPS;
    url_deinit(&url);
    if (!web)
        wrong(r, value, "must start with http:// or https://");
    return web;
}

static void read_url(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct span text;

    if (take_text(r, value, &text) && check_url(r, value, text))
        set_text(dst, text);
}

/* A URL, or a path: "//host" would be another host's. */
static void read_url_or_path(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct span text;

    if (!take_text(r, value, &text))
        return;
    if ((span_starts(text, "/") && !span_starts(text, "//") && span_find(text, '\\') < 0) ||
        check_url(r, value, text))
        set_text(dst, text);
}

/* A drawing of the dashboard's own by its name, an image in the text itself, a URL or a path. */
static void read_icon(struct reader *r, const yaml_node_t *value, void *dst)
{
    char name[NAME_SIZE];
    struct span text;

    if (!take_text(r, value, &text))
        return;
    if (span_starts(text, "data:image/") || name_parse(NAME_SLUG, text, name, NULL) >= 0)
        set_text(dst, text);
    else
        read_url_or_path(r, value, dst);
}

static void read_order(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct span text;
    uint64_t n = 0;
    bool negative;

    if (!take_text(r, value, &text))
        return;
    negative = span_starts(text, "-");
    if (num_parse(span_sub(text, negative, text.len), 0, INT32_MAX, &n) < 0)
        wrong(r, value, "must be a whole number");
    else
        *(int *)dst = negative ? -(int)n : (int)n;
}

static void read_interval(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct span text;
    uint64_t sec;

    if (!take_text(r, value, &text))
        return;
    if (num_parse_duration(text, INTERVAL_MAX_SEC, &sec) < 0 || sec == 0)
        wrong(r, value, "must be a time such as 10s or 2m, at most 24h");
    else
        *(usec_t *)dst = (usec_t)sec * USEC_PER_SEC;
}

static void read_threshold(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct span text;
    uint64_t n;

    if (!take_text(r, value, &text))
        return;
    if (num_parse(text, 1, THRESHOLD_MAX, &n) < 0)
        wrong(r, value, "must be a number from 1 to %d", THRESHOLD_MAX);
    else
        *(unsigned *)dst = (unsigned)n;
}

/* ---- the tables ---- */

static const struct key forwarding_keys[] = {
    {"local", offsetof(struct forward_policy, local), read_bool, false},
    {"remote", offsetof(struct forward_policy, remote), read_bool, false},
    {"permit_open", offsetof(struct forward_policy, permit_open), read_rules, false},
    {"permit_listen", offsetof(struct forward_policy, permit_listen), read_rules, false},
    {"public_listen", offsetof(struct forward_policy, public_listen), read_bool, false},
    {"unix_sockets", offsetof(struct forward_policy, unix_sockets), read_bool, false},
    {"agent_forwarding", offsetof(struct forward_policy, agent_forwarding), read_bool, false},
};

static void read_forwarding(struct reader *r, const yaml_node_t *value, void *dst)
{
    read_map(r, value, forwarding_keys, ARRAY_LEN(forwarding_keys), dst);
}

static const struct key healthcheck_keys[] = {
    {"url", offsetof(struct app, healthcheck.url), read_url_or_path, true},
    {"interval", offsetof(struct app, healthcheck.interval), read_interval, false},
    {"threshold", offsetof(struct app, healthcheck.threshold), read_threshold, false},
};

static void read_healthcheck(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct app *app = dst;

    app->healthcheck.interval = 10 * USEC_PER_SEC;
    app->healthcheck.threshold = 3;
    read_map(r, value, healthcheck_keys, ARRAY_LEN(healthcheck_keys), app);
}

static const struct key app_keys[] = {
    {"slug", offsetof(struct app, slug), read_slug, true},
    {"display_name", offsetof(struct app, display_name), read_text, false},
    {"icon", offsetof(struct app, icon), read_icon, false},
    {"url", offsetof(struct app, url), read_url, true},
    {"subdomain", offsetof(struct app, subdomain), read_bool, false},
    {"share", offsetof(struct app, share), read_level, false},
    {"order", offsetof(struct app, order), read_order, false},
    {"healthcheck", 0, read_healthcheck, false},
};

static void read_apps(struct reader *r, const yaml_node_t *value, void *dst)
{
    struct template *t = dst;

    if (value->type != YAML_SEQUENCE_NODE) {
        wrong(r, value, "needs a list of apps, each starting with \"- slug: NAME\"");
        return;
    }
    for (const yaml_node_item_t *i = value->data.sequence.items.start;
         i < value->data.sequence.items.top; i++) {
        size_t up = enter_item(r, (size_t)(i - value->data.sequence.items.start));
        const yaml_node_t *item = take(r, *i);
        struct app app = {.subdomain = true, .share = SHARE_OWNER};

        read_map(r, item, app_keys, ARRAY_LEN(app_keys), &app);
        if (template_add_app(t, &app) < 0) {
            app_deinit(&app);
            wrong(r, item, "is one app too many: %d at most", TEMPLATE_APPS_MAX);
        }
        leave(r, up);
    }
}

static const struct key template_keys[] = {
    {"description", offsetof(struct template, description), read_description, false},
    {"max_port_share_level", offsetof(struct template, max_port_share_level), read_level, false},
    {"forwarding", offsetof(struct template, forwarding), read_forwarding, false},
    {"cors", offsetof(struct template, cors), read_cors, false},
    {"identity_headers", offsetof(struct template, identity_headers), read_bool, false},
    {"apps", 0, read_apps, false},
};

/* ---- the text ---- */

/* libyaml tells the line of what it parses, but only the offset of what it cannot even read. */
static size_t line_of_problem(const yaml_parser_t *parser, struct span yaml)
{
    size_t line = 0;

    if (parser->error != YAML_READER_ERROR)
        return parser->problem_mark.line;
    for (size_t i = 0; i < yaml.len && i < parser->problem_offset; i++)
        line += yaml.p[i] == '\n';
    return line;
}

static void syntax_problem(const yaml_parser_t *parser, struct span yaml,
                           struct template_yaml_problems *problems)
{
    problem(problems, line_of_problem(parser, yaml), "", "not valid YAML: %s",
            parser->problem ? parser->problem : "it cannot be read");
}

static void check_event(const yaml_event_t *e, unsigned *documents,
                        struct template_yaml_problems *problems)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    } else if (e->type == YAML_DOCUMENT_START_EVENT && ++*documents > 1) {
        problem(problems, e->start_mark.line, "", "a second document: one template is one");
    }
    if (anchor || e->type == YAML_ALIAS_EVENT)
        problem(problems, e->start_mark.line, "",
                "anchors and aliases are not supported: write the value out");
    if (tag)
        problem(problems, e->start_mark.line, "", "tags such as !x are not supported");
}

static void start_parser(yaml_parser_t *parser, struct span yaml)
{
    if (!yaml_parser_initialize(parser))
        abort();
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)yaml.p, yaml.len);
}

static void check_events(struct span yaml, struct template_yaml_problems *problems)
{
    yaml_parser_t parser;
    yaml_event_t event;
    unsigned documents = 0;
    bool ended = false;

    start_parser(&parser, yaml);
    while (!ended) {
        if (!yaml_parser_parse(&parser, &event)) {
            syntax_problem(&parser, yaml, problems);
            break;
        }
        check_event(&event, &documents, problems);
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
}

static void read_tree(struct span yaml, struct reader *r)
{
    const yaml_node_t *root;
    yaml_parser_t parser;

    start_parser(&parser, yaml);
    if (yaml_parser_load(&parser, &r->doc)) {
        root = yaml_document_get_root_node(&r->doc);
        if (!root || is_nothing(root))
            problem(r->problems, root ? root->start_mark.line : 0, "",
                    "there is nothing in it; {} stands for the defaults");
        else
            read_map(r, root, template_keys, ARRAY_LEN(template_keys), r->t);
        yaml_document_delete(&r->doc);
    } else {
        syntax_problem(&parser, yaml, r->problems);
    }
    yaml_parser_delete(&parser);
}

int template_yaml_parse(struct span yaml, struct template *ret,
                        struct template_yaml_problems *problems)
{
    struct template t;
    struct reader r = {.t = &t, .problems = problems};

    problems->n = 0;
    if (yaml.len > TEMPLATE_YAML_MAX_LEN) {
        problem(problems, 0, "", "longer than %d KiB", TEMPLATE_YAML_MAX_LEN / 1024);
        return -EINVAL;
    }
    check_events(yaml, problems);
    template_init(&t);
    if (problems->n == 0)
        read_tree(yaml, &r);
    if (problems->n == 0) {
        *ret = t;
        return 0;
    }
    qsort(problems->list, problems->n, sizeof(problems->list[0]), compare_lines);
    template_deinit(&t);
    return -EINVAL;
}
