/* SPDX-License-Identifier: BSD-3-Clause
 * shm_team.h - a team: the ranks of one communicator that share a node, and the collectives that they run
 * together through one shared segment, without messages.
 *
 * All members make the same calls in the same order. A call is a number of rounds; in a round each member
 * copies what others need of it into its own part of the segment and posts that (a line with the round's
 * number), and takes what it needs of the others'. Rounds are numbered through all calls of the team, so
 * nothing is ever reset, and a call needs no meeting before or after it: a member that is ahead waits only
 * where it would overwrite what somebody has not read.
 *
 * A member's part holds a ring for the data. It is twice as large as a core's second-level cache and used
 * round and round even by small calls, because a store to a line that the reader's cache still holds costs
 * a trip to that core: with a ring of 256 KiB an allreduce of 64 KiB takes 10 us, with one of 2 MiB 3.4 us
 * (2 ranks, Zen 4). So this is also faster than process_vm_readv at every size (1 MiB: 48 against 105 us).
 * Short data is the opposite: it goes round in a few lines at the ring's beginning, which stay in the first-level
 * cache. There the stores wait for one trip only, all at once, while one that has to fetch its line from the second
 * level takes 8 ns of its own (1 KiB: 0.38 us in laps of 64 KiB, 0.25 us in laps of 4 KiB). Between the two, lines are
 * fetched when the call before ends (4 KiB: 0.75 us without, 0.61 us with). */
#ifndef FRD_NET_SHM_TEAM_H
#define FRD_NET_SHM_TEAM_H

#include "net/net.h"
#include "net/process.h"
#include "net/shm_part.h"
#include "reduce/reduce.h"
#include "sched/graph.h"

/* What the first member tells the others; fixed layout, goes on the wire. */
typedef struct frd_team_card {
    frd_process process;
    uint64_t key[2];
    uint64_t ring_bytes;
    int32_t fd; /* -1: it has no segment to offer */
    int32_t ranks;
} frd_team_card;
_Static_assert(sizeof(frd_team_card) == 96, "wire format");

struct frd_shm;
struct frd_team_call;

typedef struct frd_team_skip {
    uint64_t ticket;
    uint32_t rounds;
} frd_team_skip;

typedef struct frd_team {
    frd_team_head *head;
    size_t bytes;
    int size, rank;
    int fd;      /* the first member's, until the others have it; else -1 */
    int *world;  /* world ranks of the members */
    struct frd_shm *shm;
    struct frd_team *next; /* of the transport's teams */
    frd_team_part **part;  /* by member */
    frd_team_part *mine;
    uint64_t ring_bytes, round_bytes; /* all of it; the most for one round */
    size_t whole_max;   /* longest vector of an allreduce that every member reduces whole */
    size_t nontemporal; /* calls whose buffers, of all members, take more than the last cache store past the caches */
    bool crowded;       /* more members than cores */
    bool sharing;       /* more ranks here than cores */
    bool fenced, armed; /* posts need a fence; counted in head->sleepers */
    bool touched;       /* all of our ring has its pages */
    bool backwards;     /* the next call of more than one round goes so */
    char *scratch;      /* FRD_TEAM_BLOCK bytes: a reduction on its way */

    uint64_t round; /* of the next call's first */
    uint64_t low;   /* rounds that all members have done, as last seen */
    uint64_t end;   /* bytes of our ring ever used */
    uint64_t starts[FRD_TEAM_ROUNDS]; /* `end` when the round began, for those not yet done by all */
    bool located;         /* some send_of is set */
    const char **send_of; /* by member: its buffers in this process, where they are mapped for the running call */
    char **recv_of;
    const char **source; /* by member: room for the operands of a reduction */

    struct frd_team_call *running; /* the call whose turn it is */
    uint64_t tickets, serving; /* given out; whose turn it is */
    frd_team_skip *skips; /* calls that were left before their turn */
    size_t nskips, skips_cap;
} frd_team;

typedef struct frd_team_call {
    frd_node_call what;
    const char *send; /* in place: as recv; in place block calls: where our block is */
    char *recv;
    fedrdma_op_fn *user_fn;
    void *user_arg;
    uint64_t ticket;

    /* frd_team_shape's */
    frd_reduce_fn *kernel; /* the second for two results at once */
    frd_reduce_both_fn *both;
    uint32_t rounds;             /* of the call */
    uint32_t kind;               /* as in the post */
    size_t chunk;                /* bytes of a piece in a round, and from piece to piece in the ring */
    size_t need;                 /* bytes of our ring in a round */
    uint64_t given_bytes, taken_bytes; /* in all */
    bool shaped;
    bool results;                /* members exchange what they have reduced, too */
    size_t count;                /* elements of the vector, or of a block */
    bool gives, takes, collects; /* does this member? */
    bool keeps;                  /* it has data for itself, too */
    bool pieces;                 /* a giver has another piece for every reader */
    bool small, bypass;          /* the data fits into the post; it is stored past the caches */
    bool led;                    /* the first member tells when all have given, and the others look at it alone: so it
                                    is through first, and has given when they come to what it roots next */

    /* the team's */
    uint64_t base;                    /* first round */
    uint32_t given, taken, collected; /* rounds for which we have given, taken, taken results */
    uint32_t kept;                    /* and copied what is our own */
    uint32_t shown;                   /* rounds that the others know we are done with */
    bool begun, mapped, push;
    bool backwards; /* from the last chunk to the first */
    bool spoiled; /* a member left whose buffers we read; its reason will come */
    bool done;    /* left */
    frd_team_place place;
    uint64_t left_ns;
    int bad;          /* MISMATCH: the member that disagrees */
    uint64_t bad_len; /* what it has */
} frd_team_call;

/* Start-up, collective among `size` processes of a node. The first member offers a segment, the others open it
 * by its card; then all or none may use it. The team is known to `net` (of frd_net_shm) until it is closed. */
int frd_team_create(frd_net *net, const int *world, int size, int rank, frd_team **team, frd_story *story);
int frd_team_offer(frd_team *team, frd_team_card *card, frd_story *story);
int frd_team_join(frd_team *team, const frd_team_card *card, frd_story *story);
void frd_team_joined(frd_team *team, bool sharing); /* everybody has it open; ranks here share cores */
void frd_team_close(frd_team *team);  /* NULL is fine */

/* Makes sure that so many calls can be left before their turn. */
int frd_team_reserve(frd_team *team, size_t calls);

/* Our next place in the order of the team's calls. */
static inline uint64_t frd_team_ticket(frd_team *team)
{
    return team->tickets++;
}

enum { FRD_TEAM_IDLE, FRD_TEAM_MOVED, FRD_TEAM_OVER };

/* Moves a call on: IDLE (waits for others), MOVED (and will go on), OVER; or an error, after which the team
 * works no more: MISMATCH (call->bad and bad_len say who and what it has), NOMEM or SYSTEM with the story. Bounded
 * work, some 50 us. */
int frd_team_poll(frd_team *team, frd_team_call *call, frd_story *story);

/* The call goes on in another place. */
static inline void frd_team_move(frd_team *team, const frd_team_call *from, frd_team_call *to)
{
    *to = *from;
    if (team->running == from)
        team->running = to;
}

/* How long to wait for others: so many looks. After `yield_from` the core is given away in between, if a member runs on
 * it that has something to do, and now and then in any case. */
typedef struct frd_team_patience {
    int looks, yield_from;
} frd_team_patience;
bool frd_team_rest(const frd_team *team, const frd_team_call *call, frd_team_patience patience,
                   int n); /* the n-th step of it; false: that was all */

/* The same in two goes for short calls, which have one round: when both are true it is over. False when patience ends,
 * or something is not as usual; then frd_team_poll goes on. */
bool frd_team_short_give(frd_team *team, frd_team_call *call);
bool frd_team_short_take(frd_team *team, frd_team_call *call, frd_team_patience patience);

/* Cuts a call into rounds; frd_team_poll does that for calls that are not shaped yet. */
void frd_team_shape(const frd_team *team, frd_team_call *call);

/* Ends a call that is not over, or has not begun. The others may still store into its receive buffer while
 * this returns false. */
bool frd_team_leave(frd_team *team, frd_team_call *call);

/* Is a member of those that the call waits for? For stories. */
bool frd_team_waits_for(const frd_team *team, const frd_team_call *call, int member);

/* Is there something to do for the running call? For who is about to sleep. */
bool frd_team_ready(frd_team *team);

/* Rounds that a call takes, for a call that is skipped. */
uint32_t frd_team_rounds(const frd_team *team, const frd_node_call *what);

#endif
