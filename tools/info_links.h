/* SPDX-License-Identifier: BSD-3-Clause
 * info_links.h - fedrdma-info --links: measures the links between the silos of a job, of which it is every
 * rank. */
#ifndef INFO_LINKS_H
#define INFO_LINKS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct info_links {
    bool watch;        /* again and again */
    int count;         /* how often; 0: until somebody ends it */
    uint64_t time_ns;  /* of each direction of each link; 0: a second, or 25 round trips if that is more */
    uint64_t every_ns; /* watch: from one table to the next */
} info_links;

/* The exit status. Complaints go to standard error. */
int info_links_run(const info_links *what);

#endif
