/* SPDX-License-Identifier: BSD-3-Clause
 * plan.h - the planner: from what the links between silos carry to the trees along which a collective moves its data.
 *
 * A plan is a forest: trees over all silos, each with a root and a share of the vector. In its share's reduction data
 * flows up the tree `up` to the root, each silo adding its own to what comes from below it; then the result flows down
 * the tree `down`, which may be another one. The named algorithms are such forests: direct reduce-scatter and allgather
 * are S stars, a ring is S chains, a fixed aggregator is one star.
 *
 * The model. Data flows in fragments through all trees at the same time, so that a silo sends on what it just got:
 *
 *     time = load + delay
 *     load  = the most of: bytes that pass a link, an egress cap, an ingress cap / its rate. The two ways add up, as do
 *             the trees.
 *     delay = of the tree where it is longest: the longest way up to the root + the longest way down from it. A hop
 *             costs its latency, and the time that one fragment (`fragment_bytes` of the forest) takes at the least
 *             rate of link, egress and ingress.
 *
 * So the last hop's fragment is counted twice, and a time never less than the flow's. Not in it: loss, the cost of a
 * message, what happens inside silos, and other traffic.
 *
 * Planning is a pure function: the same on every rank and every machine for equal input, from additions,
 * subtractions, multiplications, divisions and comparisons of doubles in a fixed order (the library is compiled with
 * -ffp-contract=off). Time and rates scale: twice the bytes and fragment at twice the rates give the same forest. */
#ifndef FRD_COLLECTIVES_PLAN_H
#define FRD_COLLECTIVES_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"
#include "topo/silos.h"

enum { FRD_FOREST_SILOS_MAX = 256, FRD_FOREST_WEIGHTS = 65536 };

#define FRD_FOREST_RATE_MAX ((uint64_t)1 << 50) /* bits a second; what 0, "no cap", is taken for */
#define FRD_FOREST_DELAY_MAX (3600 * UINT64_C(1000000000))
#define FRD_FOREST_BYTES_MAX ((uint64_t)1 << 50)

/* From one silo straight to another. */
typedef struct frd_forest_link {
    bool talk; /* may be used at all */
    uint64_t delay_ns; /* one way */
    uint64_t rate_bps; /* bits a second; 0: no cap */
} frd_forest_link;

typedef struct frd_forest_silo {
    uint64_t egress_bps, ingress_bps; /* all links together; 0: no cap */
    bool root;                        /* may be a root: reduce a share of all silos' data */
} frd_forest_silo;

typedef struct frd_forest_net {
    int silos;
    const char *const *name; /* for stories; NULL: numbers */
    const frd_forest_silo *silo;
    const frd_forest_link *link; /* [from * silos + to] */
    const bool *carry; /* [via * silos + of]: via may stand between `of` and a root that is not via, so that it adds up
                          and passes on data of `of`, or what `of` is to get */
} frd_forest_net;

/* X(NAME, "name", ways): the collectives that are forests. */
#define FRD_FOREST_TABLE(X) \
    X(ALLREDUCE, "allreduce", FRD_FOREST_UP | FRD_FOREST_DOWN) \
    X(REDUCE, "reduce", FRD_FOREST_UP) \
    X(BROADCAST, "broadcast", FRD_FOREST_DOWN)

enum frd_forest_ways { FRD_FOREST_UP = 1, FRD_FOREST_DOWN = 2 };

typedef struct frd_forest_ask {
    unsigned ways; /* of frd_forest_ways: allreduce both, reduce up, broadcast down */
    int root;      /* of all trees; -1 (not for reduce and broadcast): any */
    size_t bytes;  /* of the vector */
    size_t fragment_bytes; /* the longest fragment, above 0; a forest has shorter ones for short vectors */
} frd_forest_ask;

typedef struct frd_forest_tree {
    int root;
    uint32_t weight;    /* its share is weight / the forest's weights */
    const short *up;    /* by silo: who it sends to on the way up; -1: nobody, as the root and all where no way is up */
    const short *down;  /* by silo: who it receives from on the way down */
    double delay_ns;    /* longest way up + longest way down */
} frd_forest_tree;

/* X(NAME, "name", "what it is"): the form that a forest came to, for people. */
#define FRD_FOREST_FORMS(X) \
    X(ALONE, "alone", "one silo: nothing to do") \
    X(DIRECT, "direct", "everybody exchanges parts with everybody") \
    X(RING, "ring", "parts go round through all silos") \
    X(STAR, "star", "everybody exchanges everything with one silo") \
    X(TREE, "tree", "one tree") \
    X(TREES, "trees", "several trees, each with a share of the data")

#define FRD_FOREST_FORM_ENUM(NAME, name, text) FRD_FOREST_##NAME,
enum frd_forest_form { FRD_FOREST_FORMS(FRD_FOREST_FORM_ENUM) FRD_FOREST_NFORMS };
#undef FRD_FOREST_FORM_ENUM

enum frd_forest_limit { FRD_FOREST_NOTHING, FRD_FOREST_EGRESS, FRD_FOREST_INGRESS, FRD_FOREST_LINK };

typedef struct frd_forest_cost {
    double time_ns, load_ns, delay_ns; /* of the model; time = load + delay */
    int limit;    /* of frd_forest_limit: what the load is of; NOTHING: no bytes, or one silo */
    int from, to; /* of a link; egress: from; ingress: to; else -1 */
} frd_forest_cost;

typedef struct frd_forest {
    int silos;
    int form; /* of frd_forest_form */
    frd_forest_ask ask;
    size_t fragment_bytes; /* that the time is for: ask's, but at most a silo's part of the vector */
    int count;
    uint32_t weights; /* the sum of the trees' */
    const frd_forest_tree *tree; /* by falling weight */
    frd_forest_cost cost; /* on the net that it was made for */
    frd_arena arena;
} frd_forest;

/* What the library asks for an allreduce of so many bytes, by the options fragment and window. */
frd_forest_ask frd_forest_allreduce(int silos, size_t bytes, size_t fragment, size_t window);

/* Makes the plan. It is never slower than direct, ring and every star, where those are allowed; of equals, the first
 * of those. With at most 5 silos it is within 5% of the best forest; about 1 ms then, a few seconds with 200.
 * FEDRDMA_ERR_INVALID: a bad net or question, or no tree reaches all silos by links and policy (the story says
 * which silo). FEDRDMA_ERR_NOMEM. */
int frd_forest_make(const frd_forest_net *net, const frd_forest_ask *ask, frd_story *story, frd_forest **forest);
void frd_forest_destroy(frd_forest *forest); /* NULL is fine */

/* The model's time of a forest on any net of as many silos. */
frd_forest_cost frd_forest_assess(const frd_forest_net *net, const frd_forest *forest);

/* Does it use only what the net allows? */
bool frd_forest_allowed(const frd_forest_net *net, const frd_forest *forest);

/* Hysteresis, for when the net has changed and `fresh` is the plan for it: is `old` good enough still? Yes unless it is
 * not allowed any more, is for another question, or takes more than FRD_FOREST_KEEP times as long. */
#define FRD_FOREST_KEEP 1.15
bool frd_forest_keep(const frd_forest_net *net, const frd_forest *old, const frd_forest *fresh);

/* No forest is faster, by what every silo must at least send and receive, and the shortest delay to and from a root. 0:
 * nothing is known. A cheap bound, which may not be reached. */
double frd_forest_bound_ns(const frd_forest_net *net, const frd_forest_ask *ask);

const char *frd_forest_form_name(int form);
const char *frd_forest_form_text(int form);

/* ---- the net of a topology ------------------------------------------------------------------------------------- */

/* What is expected of the links (frd_links_expect of `links`, with as many silos), and the policy. A silo that may not
 * relay stands in nobody's way; one that the traffic of two others must not pass stands in neither's. Where no rate is
 * known, FRD_FOREST_RATE is taken; a delay is half of an rtt. In *net until its arena is freed. */
#define FRD_FOREST_RATE UINT64_C(1000000000)
int frd_forest_net_of(const frd_silos *silos, const frd_links *links, frd_arena *arena, frd_story *story,
                      frd_forest_net *net);

#endif
