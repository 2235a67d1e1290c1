/* SPDX-License-Identifier: BSD-3-Clause
 * yaml.c - builds the tree from libyaml's events, one after the other, with a stack of fixed depth. Linear in
 * the size of the text, but for maps, whose keys are compared with each other (and are therefore few).
 *
 * Events that the format has no use for are errors rather than skipped: an alias could make a small file
 * large, and a tag could say what we don't mean. */
#include "topo/yaml.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define PATH_SHOWN 160 /* of a path in a story: the end of it tells more */

typedef struct builder {
    frd_yaml *doc;
    const unsigned char *text;
    size_t bytes, characters;
    frd_yaml_node *open[FRD_YAML_DEPTH_MAX]; /* lists and maps that have not ended */
    int depth;
    const char *key; /* of the map on top, that waits for its value */
    int key_line, key_column;
} builder;

frd_yaml_shown frd_yaml_show(const char *text)
{
    frd_yaml_shown shown;
    size_t len = strlen(text);
    const bool cut = len > FRD_YAML_SHOWN;

    if (cut)
        for (len = FRD_YAML_SHOWN; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
            len--; /* not in the middle of a character */
    memcpy(shown.text, text, len);
    strcpy(shown.text + len, cut ? "..." : "");
    return shown;
}

static int fail_at(const frd_yaml *doc, int line, int column, const char *format, va_list args)
{
    const size_t len = strlen(doc->path), cut = len > PATH_SHOWN ? len - PATH_SHOWN : 0;
    char what[FRD_STORY_MAX];

    vsnprintf(what, sizeof what, format, args);
    return frd_fail(doc->story, FEDRDMA_ERR_INVALID, "%s%s:%d:%d: %s", cut > 0 ? "..." : "", doc->path + cut,
                    line, column, what);
}

int frd_yaml_fail(const frd_yaml *doc, const frd_yaml_node *node, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const int rc = fail_at(doc, node->line, node->column, format, args);
    va_end(args);
    return rc;
}

int frd_yaml_fail_key(const frd_yaml *doc, const frd_yaml_node *node, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const int rc = fail_at(doc, node->key_line, node->key_column, format, args);
    va_end(args);
    return rc;
}

const frd_yaml_node *frd_yaml_child(const frd_yaml_node *map, const char *key)
{
    const frd_yaml_node *child = map->first;

    while (child != NULL && strcmp(child->key, key) != 0)
        child = child->next;
    return child;
}

/* Where a byte of the text is; the reader gives no lines. */
static frd_yaml_node at_byte(const builder *b, size_t offset)
{
    frd_yaml_node at = { .line = 1, .column = 1 };

    for (size_t i = 0; i < offset && i < b->bytes; i++) {
        if (b->text[i] == '\n' || (b->text[i] == '\r' && i + 1 < b->bytes && b->text[i + 1] != '\n')) {
            at.line++;
            at.column = 1;
        } else if ((b->text[i] & 0xc0) != 0x80) {
            at.column++;
        }
    }
    return at;
}

/* Where a mark of libyaml is, which puts the end of a text into a line of its own, there or not. */
static frd_yaml_node at_mark(const builder *b, const yaml_mark_t *mark)
{
    if (mark->index >= b->characters)
        return at_byte(b, b->bytes);
    return (frd_yaml_node){ .line = (int)mark->line + 1, .column = (int)mark->column + 1 };
}

/* Mistakes that are made often, and what to do about them. */
static const char *advice(const builder *b, size_t line)
{
    const unsigned char *at = b->text, *end = at + b->bytes, *stop;

    for (; line > 0 && at != NULL; line--) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at == NULL ? NULL : at + 1;
    }
    if (at == NULL || at == end)
        return "";
    stop = memchr(at, '\n', (size_t)(end - at));
    stop = stop == NULL ? end : stop;
    if (memchr(at, '\t', (size_t)(stop - at)) != NULL)
        return "; indent with spaces, not tabs";
    for (; stop - at >= 2; at++)
        if (at[0] == ']' && at[1] == ':')
            return "; put an address with brackets in quotes, e.g. \"[2001:db8::1]:7100\"";
    return "; see fedrdma-topology(5) for the format";
}

static int fail_yaml(const builder *b, const yaml_parser_t *parser)
{
    const char *problem = parser->problem != NULL ? parser->problem : "unknown problem";
    frd_yaml_node at;

    if (parser->error == YAML_MEMORY_ERROR)
        return frd_fail(b->doc->story, FEDRDMA_ERR_NOMEM, "no memory to read %s", b->doc->path);
    if (parser->error == YAML_READER_ERROR) {
        at = at_byte(b, parser->problem_offset);
        return frd_yaml_fail(b->doc, &at, "not a text: %s; write the file as UTF-8", problem);
    }
    at = at_mark(b, &parser->problem_mark);
    if (parser->context == NULL)
        return frd_yaml_fail(b->doc, &at, "not YAML: %s%s", problem, advice(b, parser->problem_mark.line));
    return frd_yaml_fail(b->doc, &at, "not YAML: %s, %s that began in line %d%s", problem, parser->context,
                         (int)parser->context_mark.line + 1, advice(b, parser->problem_mark.line));
}

/* ---- the tree ------------------------------------------------------------------------------------- */

static int check_text(const builder *b, const yaml_event_t *event)
{
    const unsigned char *text = event->data.scalar.value;
    const size_t len = event->data.scalar.length;
    const frd_yaml_node at = at_mark(b, &event->start_mark);

    if (len > FRD_YAML_SCALAR_MAX)
        return frd_yaml_fail(b->doc, &at, "a text of %zu bytes; at most %d are allowed", len,
                             FRD_YAML_SCALAR_MAX);
    for (size_t i = 0; i < len; i++) {
        const bool c1 = text[i] == 0xc2 && i + 1 < len && text[i + 1] < 0xa0; /* U+0080 to U+009F */
        if (text[i] < ' ' || text[i] == 0x7f || c1)
            return frd_yaml_fail(b->doc, &at, "a text with a control character in it; leave it out");
    }
    return FEDRDMA_OK;
}

static int take_key(builder *b, const yaml_event_t *event)
{
    const frd_yaml_node *map = b->open[b->depth - 1];
    frd_yaml_node at = at_mark(b, &event->start_mark);

    if (event->type != YAML_SCALAR_EVENT)
        return frd_yaml_fail(b->doc, &at, "a key that is no text; write `key: value`");
    int rc = check_text(b, event);
    if (rc != FEDRDMA_OK)
        return rc;
    const char *text = (const char *)event->data.scalar.value;
    const frd_yaml_node *same = frd_yaml_child(map, text);
    if (same != NULL)
        return frd_yaml_fail(b->doc, &at, "\"%s\" is there twice, first in line %d; remove one",
                             frd_yaml_show(text).text, same->key_line);
    if (map->count >= FRD_YAML_KEYS_MAX)
        return frd_yaml_fail(b->doc, &at, "more than %d keys in one map", FRD_YAML_KEYS_MAX);
    char *key = frd_arena_alloc(&b->doc->arena, strlen(text) + 1);
    if (key == NULL)
        return frd_fail(b->doc->story, FEDRDMA_ERR_NOMEM, "no memory to read %s", b->doc->path);
    strcpy(key, text);
    b->key = key;
    b->key_line = at.line;
    b->key_column = at.column;
    return FEDRDMA_OK;
}

static void hang(builder *b, frd_yaml_node *node)
{
    frd_yaml_node *parent = b->depth > 0 ? b->open[b->depth - 1] : NULL;

    if (parent == NULL) {
        b->doc->root = node;
        return;
    }
    if (parent->last == NULL)
        parent->first = node;
    else
        parent->last->next = node;
    parent->last = node;
    parent->count++;
    node->key = b->key;
    node->key_line = b->key_line;
    node->key_column = b->key_column;
    b->key = NULL;
}

static int take_value(builder *b, const yaml_event_t *event)
{
    frd_yaml_node at = at_mark(b, &event->start_mark), *node;

    if (b->doc->nodes++ >= FRD_YAML_NODES_MAX)
        return frd_yaml_fail(b->doc, &at, "more than %d values in one file", FRD_YAML_NODES_MAX);
    node = frd_arena_alloc(&b->doc->arena, sizeof *node);
    if (node == NULL)
        return frd_fail(b->doc->story, FEDRDMA_ERR_NOMEM, "no memory to read %s", b->doc->path);
    node->line = at.line;
    node->column = at.column;
    hang(b, node);
    if (event->type == YAML_SCALAR_EVENT) {
        int rc = check_text(b, event);
        if (rc != FEDRDMA_OK)
            return rc;
        char *text = frd_arena_alloc(&b->doc->arena, event->data.scalar.length + 1);
        if (text == NULL)
            return frd_fail(b->doc->story, FEDRDMA_ERR_NOMEM, "no memory to read %s", b->doc->path);
        memcpy(text, event->data.scalar.value, event->data.scalar.length); /* the NUL is there */
        node->text = text;
        return FEDRDMA_OK;
    }
    if (b->depth == FRD_YAML_DEPTH_MAX)
        return frd_yaml_fail(b->doc, &at, "nested deeper than %d; the format needs half of it",
                             FRD_YAML_DEPTH_MAX);
    node->kind = event->type == YAML_MAPPING_START_EVENT ? FRD_YAML_MAP : FRD_YAML_LIST;
    b->open[b->depth++] = node;
    return FEDRDMA_OK;
}

/* What the event has that the format doesn't. */
static const char *foreign(const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return "an alias (*name)";
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    default:
        break;
    }
    return anchor != NULL ? "an anchor (&name)" : tag != NULL ? "a tag (!type)" : NULL;
}

static int take(builder *b, const yaml_event_t *event)
{
    const char *what = foreign(event);
    frd_yaml_node at = at_mark(b, &event->start_mark);

    if (what != NULL)
        return frd_yaml_fail(b->doc, &at, "%s; this file may not have any: spell the value out", what);
    switch (event->type) {
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        if (b->depth > 0 && b->open[b->depth - 1]->kind == FRD_YAML_MAP && b->key == NULL)
            return take_key(b, event);
        return take_value(b, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return FEDRDMA_OK;
    case YAML_DOCUMENT_START_EVENT:
        if (b->doc->root != NULL)
            return frd_yaml_fail(b->doc, &at, "a second document; one file is one topology");
        return FEDRDMA_OK;
    default:
        return FEDRDMA_OK;
    }
}

int frd_yaml_parse(frd_yaml *doc, const char *path, const void *text, size_t bytes, frd_story *story)
{
    builder b = { .doc = doc, .text = text, .bytes = bytes };
    yaml_parser_t parser;
    yaml_event_t event;
    bool more = true;
    int rc = FEDRDMA_OK;

    *doc = (frd_yaml){ .path = path, .story = story };
    for (size_t i = 0; i < bytes; i++)
        b.characters += (b.text[i] & 0xc0) != 0x80;
    if (yaml_parser_initialize(&parser) == 0)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory to read %s", path);
    yaml_parser_set_input_string(&parser, b.text, bytes);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    while (rc == FEDRDMA_OK && more) {
        if (yaml_parser_parse(&parser, &event) == 0) {
            rc = fail_yaml(&b, &parser);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        rc = take(&b, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (rc == FEDRDMA_OK && doc->root == NULL) {
        const frd_yaml_node at = { .line = 1, .column = 1 };
        rc = frd_yaml_fail(doc, &at, "the file is empty; see fedrdma-topology(5) for what it says");
    }
    return rc;
}

void frd_yaml_free(frd_yaml *doc)
{
    frd_arena_free(&doc->arena);
    doc->root = NULL;
}
