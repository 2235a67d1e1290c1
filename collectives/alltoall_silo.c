/* SPDX-License-Identifier: BSD-3-Clause
 * alltoall_silo.c - all-to-all of equal blocks among ranks in several silos: what the ranks of one silo have
 * for those of another one meets at a gateway, crosses as one message, and is handed out by the other silo's
 * gateway.
 *
 *     at the gateway, for a silo of m ranks, to one of k:   m rows, of the senders, of k blocks, of the
 * receivers
 *
 * Silos s and t use lane (s + t) modulo the number of lanes. Within a silo everybody sends to everybody.
 *
 *     steps    3, one way between silos
 *     bytes    m k blocks from each silo of m to each other one of k, once
 *     scratch  at a gateway, twice what passes it */
#include "collectives/levels.h"

static void inside(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_levels *const l = g->levels;

    frd_copy(s, frd_dst_block(io, g->rank), frd_src_block(io, g->rank));
    for (int k = l->first[l->silo]; k < l->first[l->silo + 1]; k++) {
        if (l->member[k] == g->rank)
            continue;
        frd_send(s, l->peer[k], frd_src_block(io, l->member[k]));
        frd_recv(s, l->peer[k], frd_dst_block(io, l->member[k]));
    }
}

/* The block from the i-th rank of silo `from` to the k-th of silo `to`, at a gateway. */
static frd_ref cell(const frd_levels *l, frd_ref all, int to, int i, int k, size_t len)
{
    const int columns = l->first[to + 1] - l->first[to];

    return frd_sub(all, (size_t)(i * columns + k) * len, len);
}

/* Our silo's blocks for silo `to`: to the gateway, and from there across. */
static void give(frd_sched *s, const frd_group *g, const frd_io *io, int to, int lane)
{
    const frd_levels *const l = g->levels;
    const int rows = l->first[l->silo + 1] - l->first[l->silo], columns = l->first[to + 1] - l->first[to];
    const int gate = l->gate[lane * l->nsilos + l->silo];
    const size_t len = io->sblk.len;

    if (g->rank != gate) {
        for (int k = 0; k < columns; k++)
            frd_send(s, g->peer[gate], frd_src_block(io, l->member[l->first[to] + k]));
        return;
    }
    const frd_ref all = frd_tmp_typed(s, (size_t)rows * (size_t)columns * len, io->src.type);
    for (int i = 0; i < rows; i++) {
        const int member = l->member[l->first[l->silo] + i];

        for (int k = 0; k < columns; k++) {
            if (member == gate)
                frd_copy(s, cell(l, all, to, i, k, len), frd_src_block(io, l->member[l->first[to] + k]));
            else
                frd_recv(s, g->peer[member], cell(l, all, to, i, k, len));
        }
    }
    frd_send(s, g->peer[l->gate[lane * l->nsilos + to]], all);
}

/* What silo `from` has for ours: at the gateway, and from there to the ranks. */
static void take(frd_sched *s, const frd_group *g, const frd_io *io, int from, int lane)
{
    const frd_levels *const l = g->levels;
    const int rows = l->first[from + 1] - l->first[from], columns = l->first[l->silo + 1] - l->first[l->silo];
    const int gate = l->gate[lane * l->nsilos + l->silo];
    const size_t len = io->dblk.len;

    if (g->rank != gate) {
        for (int i = 0; i < rows; i++)
            frd_recv(s, g->peer[gate], frd_dst_block(io, l->member[l->first[from] + i]));
        return;
    }
    const frd_ref all = frd_tmp_typed(s, (size_t)rows * (size_t)columns * len, io->dst.type);
    frd_recv(s, g->peer[l->gate[lane * l->nsilos + from]], all);
    for (int i = 0; i < rows; i++) {
        for (int k = 0; k < columns; k++) {
            const int member = l->member[l->first[l->silo] + k];

            if (member == gate)
                frd_copy(s, frd_dst_block(io, l->member[l->first[from] + i]),
                         cell(l, all, l->silo, i, k, len));
            else
                frd_send(s, g->peer[member], cell(l, all, l->silo, i, k, len));
        }
    }
}

void frd_alltoall_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_levels *const l = g->levels;

    for (int k = 1; k < l->nsilos; k++) { /* staggered, so that not all send to silo 0 first */
        const int to = (l->silo + k) % l->nsilos;

        give(s, g, io, to, (l->silo + to) % l->ngates);
    }
    inside(s, g, io);
    for (int k = 1; k < l->nsilos; k++) {
        const int from = (l->silo + l->nsilos - k) % l->nsilos;

        take(s, g, io, from, (l->silo + from) % l->ngates);
    }
}
