/* SPDX-License-Identifier: BSD-3-Clause
 * links.h - the matrix of links between silos: for each ordered pair what the topology file declares and what
 * was measured, side by side. Silos are numbers from 0 (of frd_silos, or any other numbering of the
 * caller's).
 *
 * The matrix is plain memory: who shares it between threads locks it, or hands out copies. */
#ifndef FRD_TOPO_LINKS_H
#define FRD_TOPO_LINKS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FRD_LINKS_MAX 256 /* silos; so a matrix has at most 2^16 entries */

/* What is known of one direction; 0: nothing is. */
typedef struct frd_link_facts {
    uint64_t rate_bps; /* bits a second: declared, a cap; measured, what was delivered */
    uint64_t rtt_ns;   /* there and back */
    uint32_t loss_ppm; /* packets lost of a million */
} frd_link_facts;

enum frd_link_flags {
    FRD_LINK_TALK = 1, /* data may go this way without a relay */
    FRD_LINK_DIAL = 2  /* the first silo can open connections to the second; data goes both ways on them */
};

enum { FRD_LINK_HOPS = 3 };

typedef struct frd_link {
    unsigned flags; /* declared: of frd_link_flags */
    frd_link_facts declared;
    frd_link_facts measured;
    uint64_t measured_at_ns; /* frd_now_ns() of the last measurement; 0: none yet */
    unsigned hops;           /* silos that relayed then, */
    int via[FRD_LINK_HOPS];  /* and which */
} frd_link;

typedef struct frd_links frd_links;

/* A matrix of 1 to FRD_LINKS_MAX silos in which all may talk and dial and nothing else is known.
 * FEDRDMA_ERR_INVALID: bad count. FEDRDMA_ERR_NOMEM. */
int frd_links_create(int silos, frd_links **links);
int frd_links_copy(const frd_links *links, frd_links **copy); /* FEDRDMA_ERR_NOMEM */
void frd_links_destroy(frd_links *links);                     /* NULL is fine */
int frd_links_count(const frd_links *links);                  /* silos */

/* Below, 0 <= from, to < count and from != to. */

const frd_link *frd_links_get(const frd_links *links, int from, int to);
void frd_links_declare(frd_links *links, int from, int to, unsigned flags, const frd_link_facts *facts);

/* Facts of 0 are unknown and leave what was measured before, but for the loss, whose 0 is a measurement where
 * the rate or the rtt is one. `now_ns` above 0. */
void frd_links_measure(frd_links *links, int from, int to, const frd_link_facts *facts, uint64_t now_ns);

/* The relays (at most FRD_LINK_HOPS silos) that the measured way passes. */
void frd_links_measure_route(frd_links *links, int from, int to, const int *via, unsigned hops);

/* Data may go straight from one to the other: both flags of talking, and one of the two can dial. */
bool frd_links_direct(const frd_links *links, int from, int to);

/* What to plan with: what was measured, else what was declared, and never a rate above the declared cap. */
frd_link_facts frd_links_expect(const frd_links *links, int from, int to);

/* A table with a line for each ordered pair, declared left (if anything is, or nothing was measured) and, if
 * anything was, measured right; `names` by silo. */
void frd_links_print(const frd_links *links, const char *const *names, FILE *out);

/* What was measured of one link, as "direct", "via b, c"; "-": nothing was. Cut where there is no room. */
void frd_links_route_text(const frd_links *links, const char *const *names, int from, int to, char *text,
                          size_t bytes);

/* "300 Mbit/s", "1.5 Gbit/s"; "40 ms"; "0.1%". "-" for 0. `text` has room for FRD_FACT_MAX. */
#define FRD_FACT_MAX 40
void frd_rate_text(uint64_t bps, char text[FRD_FACT_MAX]);
void frd_rtt_text(uint64_t ns, char text[FRD_FACT_MAX]);
void frd_loss_text(uint32_t ppm, char text[FRD_FACT_MAX]);

#endif
