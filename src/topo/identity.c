/* SPDX-License-Identifier: BSD-3-Clause
 * identity.c - the text that tells hosts apart. The boot id differs between machines even where all are
 * called "localhost"; the name differs between containers of one machine, and between clones of a running
 * one. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "topo/sysfile.h"
#include "topo/topo.h"

enum { HASH_CHARS = 16 };

void frd_topo_node_identity(char *out, size_t bytes)
{
    char name[256], boot_id[64];

    if (gethostname(name, sizeof name) != 0)
        name[0] = '\0';
    name[sizeof name - 1] = '\0';
    frd_sysfile_line("/proc/sys/kernel/random/boot_id", boot_id, sizeof boot_id);

    const uint64_t h = frd_hash_text(frd_hash_text(FRD_HASH_START, boot_id), name);
    const size_t longest = bytes < FRD_TOPO_IDENTITY_MAX ? bytes : FRD_TOPO_IDENTITY_MAX;
    const int cut = (int)(longest - HASH_CHARS - 2); /* '-' and NUL */
    snprintf(out, bytes, "%.*s-%016llx", cut, name, (unsigned long long)h);
}
