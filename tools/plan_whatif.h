/* SPDX-License-Identifier: BSD-3-Clause
 * plan_whatif.h - links as they might be: "a-b rate=50M,rtt=80ms", "a->b rate=1G", "a-b talk=no". */
#ifndef PLAN_WHATIF_H
#define PLAN_WHATIF_H

#include "topo/silos.h"

/* Changes what the topology's links declare. FEDRDMA_ERR_INVALID: the story says what is wrong in `text`, and how to
 * say it. */
int plan_whatif(frd_silos *silos, const char *text, frd_story *story);

/* A silo's number by its name; the story names the nearest, or all. */
int plan_find_silo(const frd_silos *silos, const char *name, frd_story *story, int *silo);

#endif
