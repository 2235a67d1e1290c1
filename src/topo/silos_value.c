/* SPDX-License-Identifier: BSD-3-Clause
 * silos_value.c - the values of a topology file, one by one: maps by their fields, rates, names, pairs of
 * silos. */
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "base/value.h"
#include "topo/silos_impl.h"

#define LIST_BYTES 160 /* of names in a story */
#define FIELDS_MAX 16

void *frd_silos_keep(frd_silos_draft *d, size_t n, size_t size)
{
    return frd_arena_alloc(&d->out->arena,
                           n * size); /* n is bounded by the nodes of a file, or silos squared */
}

void *frd_silos_borrow(frd_silos_draft *d, size_t n, size_t size)
{
    return frd_arena_alloc(&d->doc.arena, n * size);
}

int frd_silos_nomem(const frd_silos_draft *d)
{
    return frd_fail(d->doc.story, FEDRDMA_ERR_NOMEM, "no memory for what %s says", d->doc.path);
}

static int fail_key(frd_silos_draft *d, const frd_yaml_node *node, const char *what,
                    const frd_silos_field *fields)
{
    const char *keys[FIELDS_MAX];
    char list[LIST_BYTES];
    size_t n = 0;

    for (; fields[n].key != NULL && n < FIELDS_MAX; n++)
        keys[n] = fields[n].key;
    frd_names_list(list, sizeof list, keys, n);
    const char *near = frd_nearest(node->key, keys, n);
    return frd_yaml_fail_key(&d->doc, node, "unknown key \"%s\" in %s; %s%s%sit takes %s",
                             frd_yaml_show(node->key).text, what, near != NULL ? "did you mean \"" : "",
                             near != NULL ? near : "", near != NULL ? "\"? " : "", list);
}

int frd_silos_read_map(frd_silos_draft *d, const frd_yaml_node *node, const char *what,
                       const frd_silos_field *fields, void *object)
{
    if (frd_silos_is_empty(node))
        return FEDRDMA_OK;
    if (node->kind != FRD_YAML_MAP)
        return frd_yaml_fail(&d->doc, node,
                             "%s must be a map; write its keys as `%s: ...`, indented, one a line", what,
                             fields[0].key);
    for (const frd_yaml_node *child = node->first; child != NULL; child = child->next) {
        const frd_silos_field *f = fields;
        while (f->key != NULL && strcmp(f->key, child->key) != 0)
            f++;
        if (f->key == NULL)
            return fail_key(d, child, what, fields);
    }
    for (; fields->key != NULL; fields++) {
        const frd_yaml_node *child = fields->read == NULL ? NULL : frd_yaml_child(node, fields->key);
        const int rc = child == NULL ? FEDRDMA_OK : fields->read(d, child, object);
        if (rc != FEDRDMA_OK)
            return rc;
    }
    return FEDRDMA_OK;
}

/* Of the value of `node`; in a list it has no key. */
static int fail_value(frd_silos_draft *d, const frd_yaml_node *node, const char *wrong, const char *give)
{
    const bool scalar = node->kind == FRD_YAML_SCALAR;

    return frd_yaml_fail(&d->doc, node, "%s%s%s%s%s %s; give %s", node->key != NULL ? node->key : "",
                         node->key != NULL && scalar ? " = " : "", scalar ? "\"" : "",
                         scalar              ? frd_yaml_show(node->text).text
                         : node->key != NULL ? ""
                                             : "a list or map",
                         scalar ? "\"" : "", wrong, give);
}

int frd_silos_read_rate(frd_silos_draft *d, const frd_yaml_node *node, uint64_t *bps)
{
    const char *wrong =
        node->kind == FRD_YAML_SCALAR ? frd_value_rate_bps(node->text, bps) : "must be one value";

    if (wrong == NULL && *bps == 0)
        wrong = "lets nothing pass";
    if (wrong == NULL)
        return FEDRDMA_OK;
    return fail_value(d, node, wrong, "bits a second, e.g. 300M or 1.5Gbit/s");
}

int frd_silos_read_bool(frd_silos_draft *d, const frd_yaml_node *node, bool *value)
{
    const char *wrong =
        node->kind == FRD_YAML_SCALAR ? frd_value_bool(node->text, value) : "must be one value";

    return wrong == NULL ? FEDRDMA_OK : fail_value(d, node, wrong, "yes or no");
}

const char *frd_silos_bad_name(const char *name, size_t most)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const size_t len = strlen(name);

    if (len == 0)
        return "is empty";
    if (len > most)
        return "is too long";
    if (strspn(name, letters) == 0)
        return "does not begin with a letter or digit";
    return strspn(name, all) < len ? "has characters that are no letter, digit, dot, underscore or hyphen"
                                   : NULL;
}

/* As DNS has it: names of hosts differ by more than case. Not by locale: files are compared across sites. */
void frd_silos_lower(char *name)
{
    for (; *name != '\0'; name++)
        *name = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
}

int frd_silos_read_name(frd_silos_draft *d, const frd_yaml_node *node, const char **name)
{
    const char *wrong = node->kind == FRD_YAML_SCALAR
                            ? frd_silos_bad_name(node->text, FRD_SILO_HOST_NAME_MAX - 1)
                            : "must be one value";

    if (wrong != NULL)
        return fail_value(d, node, wrong, "a host's name as `hostname` prints it, or a FEDRDMA_NODE");
    char *own = frd_silos_keep(d, strlen(node->text) + 1, 1);
    if (own == NULL)
        return frd_silos_nomem(d);
    strcpy(own, node->text);
    frd_silos_lower(own);
    *name = own;
    return FEDRDMA_OK;
}

static int fail_silo(frd_silos_draft *d, const frd_yaml_node *node)
{
    const char *names[FRD_SILOS_MAX], *near;
    char list[LIST_BYTES];

    for (int i = 0; i < d->out->count; i++)
        names[i] = d->silo[i].name;
    frd_names_list(list, sizeof list, names, (size_t)d->out->count);
    near = frd_nearest(node->text, names, (size_t)d->out->count);
    return frd_yaml_fail(&d->doc, node, "there is no silo \"%s\"; %s%s%sthe silos are %s",
                         frd_yaml_show(node->text).text, near != NULL ? "did you mean \"" : "",
                         near != NULL ? near : "", near != NULL ? "\"? " : "", list);
}

int frd_silos_read_silo(frd_silos_draft *d, const frd_yaml_node *node, int *silo)
{
    if (node->kind != FRD_YAML_SCALAR)
        return fail_value(d, node, "must be one value", "the name of a silo");
    *silo = frd_silos_find(d->out, node->text);
    return *silo >= 0 ? FEDRDMA_OK : fail_silo(d, node);
}

int frd_silos_read_pair(frd_silos_draft *d, const frd_yaml_node *node, int pair[2])
{
    if (node->kind != FRD_YAML_LIST || node->count != 2)
        return fail_value(d, node, "must be two silos", "a list of two names, e.g. [north, south]");
    int rc = frd_silos_read_silo(d, node->first, &pair[0]);
    if (rc == FEDRDMA_OK)
        rc = frd_silos_read_silo(d, node->last, &pair[1]);
    if (rc == FEDRDMA_OK && pair[0] == pair[1])
        return frd_yaml_fail(&d->doc, node->last, "silo \"%s\" has no link to itself; name another silo",
                             d->silo[pair[0]].name);
    return rc;
}
