/* SPDX-License-Identifier: BSD-3-Clause
 * yaml.h - a YAML text as a small tree that knows where everything stands: scalars, lists, maps, and nothing
 * else (no anchors, aliases, tags or further documents; no key twice). Bounded in all directions. */
#ifndef FRD_TOPO_YAML_H
#define FRD_TOPO_YAML_H

#include <stddef.h>

#include "base/error.h"
#include "base/mem.h"

enum {
    FRD_YAML_DEPTH_MAX = 12,
    FRD_YAML_NODES_MAX = 1 << 18,
    FRD_YAML_SCALAR_MAX = 255, /* bytes */
    FRD_YAML_KEYS_MAX = 1024   /* of one map */
};

enum frd_yaml_kind { FRD_YAML_SCALAR, FRD_YAML_LIST, FRD_YAML_MAP };

typedef struct frd_yaml_node {
    enum frd_yaml_kind kind;
    int line, column;           /* from 1, in characters */
    const char *text;           /* of a scalar; UTF-8 without control characters */
    const char *key;            /* in a map */
    int key_line, key_column;   /* in a map */
    struct frd_yaml_node *next; /* sibling */
    struct frd_yaml_node *first, *last;
    size_t count; /* children */
} frd_yaml_node;

typedef struct frd_yaml {
    const char *path; /* for stories; the caller's */
    frd_story *story; /* the caller's */
    frd_yaml_node *root;
    size_t nodes;
    frd_arena arena; /* all nodes and texts */
} frd_yaml;

/* Parses `text`. On error, which is FEDRDMA_ERR_INVALID or FEDRDMA_ERR_NOMEM, frd_yaml_free is still to be
 * called. */
int frd_yaml_parse(frd_yaml *doc, const char *path, const void *text, size_t bytes, frd_story *story);
void frd_yaml_free(frd_yaml *doc);

/* "path:line:column: ..." and FEDRDMA_ERR_INVALID. */
int frd_yaml_fail(const frd_yaml *doc, const frd_yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same at the node's key. */
int frd_yaml_fail_key(const frd_yaml *doc, const frd_yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The child with this key, or NULL. */
const frd_yaml_node *frd_yaml_child(const frd_yaml_node *map, const char *key);

/* A text from the file, cut for a story. */
#define FRD_YAML_SHOWN 48
typedef struct frd_yaml_shown {
    char text[FRD_YAML_SHOWN + 4];
} frd_yaml_shown;
frd_yaml_shown frd_yaml_show(const char *text);

#endif
