/* SPDX-License-Identifier: BSD-3-Clause
 * silos_impl.h - what the parts of silos.h share while a file is read. */
#ifndef FRD_TOPO_SILOS_IMPL_H
#define FRD_TOPO_SILOS_IMPL_H

#include "topo/silos.h"
#include "topo/yaml.h"

/* Where things were said of an ordered pair; NULL: nowhere. */
enum { FRD_SAID_RATE, FRD_SAID_LOSS, FRD_SAID_RTT, FRD_SAID_TALK, FRD_SAID_DIAL, FRD_SAID_COUNT };
typedef struct frd_silos_said {
    const frd_yaml_node *node[FRD_SAID_COUNT];
} frd_silos_said;

typedef struct frd_silos_draft {
    frd_yaml doc;
    frd_silos *out;             /* owns all that stays */
    frd_silo *silo;             /* out->silo, still to be written */
    const frd_yaml_node **node; /* by silo; lives in doc */
    frd_silos_said *said;       /* count x count */
    bool relay;                 /* what silos do that don't say */
    signed char *relay_said;    /* by silo; -1: not said */
} frd_silos_draft;

static inline frd_silos_said *frd_silos_said_of(const frd_silos_draft *d, int from, int to)
{
    return &d->said[from * d->out->count + to];
}

/* Zeroed memory that lives as long as the result, or as the document. NULL: no memory. */
void *frd_silos_keep(frd_silos_draft *d, size_t n, size_t size);
void *frd_silos_borrow(frd_silos_draft *d, size_t n, size_t size);
int frd_silos_nomem(const frd_silos_draft *d);

/* The tree to the draft: every value by itself, and names resolved. */
int frd_silos_read(frd_silos_draft *d);
int frd_silos_read_silos(frd_silos_draft *d, const frd_yaml_node *node);
int frd_silos_read_links(frd_silos_draft *d, const frd_yaml_node *node);
int frd_silos_read_policy(frd_silos_draft *d, const frd_yaml_node *node);

/* What values say together: names, addresses and ranks only once, no silo without a way to another. */
int frd_silos_check(frd_silos_draft *d);

/* Fields of a map, in the order in which they are offered when a key is unknown; a NULL key ends them.
 * Without a function a key is allowed, and read by somebody else. */
typedef struct frd_silos_field {
    const char *key;
    int (*read)(frd_silos_draft *d, const frd_yaml_node *node, void *object);
} frd_silos_field;

/* Reads the children of `node` by their fields; `what` names the map in stories. A missing value is an empty
 * map. */
int frd_silos_read_map(frd_silos_draft *d, const frd_yaml_node *node, const char *what,
                       const frd_silos_field *fields, void *object);

/* Single values. */
int frd_silos_read_rate(frd_silos_draft *d, const frd_yaml_node *node, uint64_t *bps);
int frd_silos_read_bool(frd_silos_draft *d, const frd_yaml_node *node, bool *value);
int frd_silos_read_name(frd_silos_draft *d, const frd_yaml_node *node, const char **name); /* of a host */
int frd_silos_read_silo(frd_silos_draft *d, const frd_yaml_node *node, int *silo);         /* that is known */
int frd_silos_read_pair(frd_silos_draft *d, const frd_yaml_node *node, int pair[2]);

void frd_silos_lower(char *name); /* in place */

/* What is wrong with a name of a silo or host, or NULL. `most`: bytes without the NUL. */
const char *frd_silos_bad_name(const char *name, size_t most);

static inline bool frd_silos_is_empty(const frd_yaml_node *node)
{
    return node->kind == FRD_YAML_SCALAR && node->text[0] == '\0';
}

#endif
