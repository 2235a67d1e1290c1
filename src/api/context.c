/* SPDX-License-Identifier: BSD-3-Clause
 *
 * context.c - a context's life, who may be in it, and the loop that drives it. */
#include "api/context.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/cache.h"
#include "collectives/cut.h"
#include "api/comm.h"
#include "api/options.h"
#include "api/request.h"
#include "base/clock.h"
#include "base/hash.h"
#include "topo/topo.h"

/* With threads=multiple a thread that sleeps for events must let others in again soon. */
#define WORLD_ID 1 /* all others come from it, see split.c */
#define PARTING_ID 2
#define SHARED_SLEEP_NS (1 * FRD_NS_PER_MS)

void frd_context_enter(fedrdma_context *ctx)
{
    if (!ctx->shared)
        return;
    pthread_mutex_lock(&ctx->lock);
    const uint64_t mine = ctx->next_ticket++;
    while (ctx->serving != mine)
        pthread_cond_wait(&ctx->turn, &ctx->lock);
    pthread_mutex_unlock(&ctx->lock);
}

void frd_context_leave(fedrdma_context *ctx)
{
    if (!ctx->shared)
        return;
    pthread_mutex_lock(&ctx->lock);
    ctx->serving++;
    pthread_cond_broadcast(&ctx->turn);
    pthread_mutex_unlock(&ctx->lock);
}

/* How long a call that is done stays for its last bytes: longer than a socket's buffers take to drain at 1 Gbit/s. A
 * peer that takes nothing for so long will have to wait for our next call. */
#define FLUSH_NS (100 * FRD_NS_PER_MS)

static void flush(fedrdma_context *ctx)
{
    const uint64_t start = frd_now_ns();

    do {
        if (frd_engine_progress(ctx->engine) == 0)
            frd_fabric_idle(ctx->fabric, start, start + FLUSH_NS);
    } while (!frd_fabric_flushed(ctx->fabric) && frd_now_ns() - start < FLUSH_NS);
}

void frd_context_drive(fedrdma_context *ctx, const frd_op *op, uint64_t now_ns)
{
    uint64_t idle_since = 0;

    frd_engine_enter(ctx->engine, now_ns);
    while (op->state == FRD_OP_ACTIVE) {
        if (frd_engine_progress(ctx->engine) > 0) {
            idle_since = 0;
            continue;
        }
        const uint64_t now = frd_now_ns();
        uint64_t until = frd_engine_deadline(ctx->engine);
        if (idle_since == 0)
            idle_since = now;
        if (ctx->shared && until > now + SHARED_SLEEP_NS)
            until = now + SHARED_SLEEP_NS;
        frd_fabric_idle(ctx->fabric, idle_since, until);
        if (ctx->shared) { /* others' turn */
            frd_context_leave(ctx);
            frd_context_enter(ctx);
        }
    }
    if (!frd_fabric_flushed(ctx->fabric))
        flush(ctx);
    frd_engine_leave(ctx->engine, op->end_ns);
}

static int boot_exchange(void *boot, const void *mine, void *all, size_t bytes, frd_story *story)
{
    return frd_boot_allgather(boot, mine, all, bytes, story);
}

static int name_place(const fedrdma_context *ctx, frd_place *place, frd_story *story)
{
    const frd_conf *conf = &ctx->conf;

    if (conf->gateways < 0)
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "FEDRDMA_GATEWAYS=%d: ranks of a silo; 0 lets the topology file say", conf->gateways);
    if (strlen(conf->silo) >= FRD_NAME_MAX || strlen(conf->node) >= FRD_NAME_MAX)
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "FEDRDMA_SILO or FEDRDMA_NODE is longer than %d characters", FRD_NAME_MAX - 1);
    snprintf(place->silo, sizeof(place->silo), "%s", conf->silo);
    if (conf->node[0] != '\0')
        snprintf(place->node, sizeof(place->node), "%s", conf->node);
    else
        frd_topo_node_identity(place->node, sizeof(place->node));
    return FEDRDMA_OK;
}

/* Are we on the NUMA node of the card to other silos: the one that the topology file or an option names, else
 * any physical one that is up? Asked where there are silos: it takes milliseconds. */
static bool is_near_card(const fedrdma_context *ctx)
{
    const char *const named[] = { ctx->gateway != NULL ? ctx->gateway->device : "", ctx->conf.wan_address,
                                  ctx->conf.interface, "" };
    size_t i = 0;

    while (i + 1 < sizeof(named) / sizeof(named[0]) && named[i][0] == '\0')
        i++;
    return ctx->conf.silo[0] != '\0' && frd_topo_is_near_card(NULL, named[i]);
}

static void fill_rules(const fedrdma_context *ctx, frd_place *place)
{
    const frd_conf *conf = &ctx->conf;
    const size_t path = strlen(conf->topology), shown = sizeof(place->topology) - 1;

    snprintf(place->topology, sizeof(place->topology), "%s", conf->topology + (path > shown ? path - shown : 0));
    place->topology_hash = ctx->silos != NULL ? ctx->silos->hash : 0;
    place->gateway = ctx->gateway_number;
    place->is_near = is_near_card(ctx) ? 1 : 0;
    snprintf(place->version, sizeof(place->version), "%s", fedrdma_version());
    snprintf(place->algo, sizeof(place->algo), "%s", conf->algo);
    place->algo_hash = frd_hash_text(FRD_HASH_START, conf->algo);
    place->fragment = conf->fragment;
    place->window = conf->window;
    place->gateways = (uint64_t)(int64_t)conf->gateways;
    place->check = conf->check;
}

static int check_topology(const frd_place *zero, const frd_place *mine, int rank, frd_story *story)
{
    const bool mine_has = mine->topology[0] != '\0', zero_has = zero->topology[0] != '\0';

    if (zero->topology_hash == mine->topology_hash)
        return FEDRDMA_OK;
    if (!mine_has || !zero_has)
        return frd_fail(story, FEDRDMA_ERR_MISMATCH,
                        "rank %d has FEDRDMA_TOPOLOGY='%s', rank %d has none; give all ranks the same file",
                        mine_has ? rank : 0, mine_has ? mine->topology : zero->topology, mine_has ? 0 : rank);
    return frd_fail(story, FEDRDMA_ERR_MISMATCH,
                    "the topology file of rank %d (%s) says something else than that of rank 0 (%s); give all ranks "
                    "the same file",
                    rank, mine->topology, zero->topology);
}

/* Ranks of different organisations have different administrators: what decides the messages of a call is compared
 * once, here, instead of ending in a wrong result. */
static int check_rules(const frd_place *zero, const frd_place *mine, int rank, frd_story *story)
{
    const int rc = FEDRDMA_ERR_MISMATCH;

    if (strcmp(zero->version, mine->version) != 0)
        return frd_fail(story, rc, "rank %d runs libfedrdma %s, rank 0 %s; install the same version",
                        rank, mine->version, zero->version);
    if (zero->algo_hash != mine->algo_hash)
        return frd_fail(story, rc, "rank %d has FEDRDMA_ALGO='%s', rank 0 '%s'; set the same on all ranks",
                        rank, mine->algo, zero->algo);
    if (zero->fragment != mine->fragment)
        return frd_fail(story, rc, "rank %d has FEDRDMA_FRAGMENT=%llu, rank 0 %llu; set the same on all ranks",
                        rank, (unsigned long long)mine->fragment, (unsigned long long)zero->fragment);
    if (zero->gateways != mine->gateways)
        return frd_fail(story, rc, "rank %d has FEDRDMA_GATEWAYS=%lld, rank 0 %lld; set the same on all ranks", rank,
                        (long long)mine->gateways, (long long)zero->gateways);
    if (zero->check != mine->check)
        return frd_fail(story, rc, "rank %d has FEDRDMA_CHECK=%d, rank 0 %d; set the same on all ranks", rank,
                        (int)mine->check, (int)zero->check);
    return check_topology(zero, mine, rank, story);
}

/* Do they cut alike in every group of some of the silos? */
static bool cut_alike(const frd_place *a, const frd_place *b)
{
    for (int n = 2; n <= 3; n++) { /* between more they are as between three */
        if (frd_silo_fragment(n, a->fragment, a->window) != frd_silo_fragment(n, b->fragment, b->window))
            return false;
    }
    return true;
}

/* Where there are several silos, the window, too, decides how calls are cut. Elsewhere it is each rank's own affair. */
static int check_windows(const frd_place *places, int size, frd_story *story)
{
    const frd_place *const zero = &places[0];
    bool silos = false;

    for (int i = 1; i < size; i++)
        silos = silos || strcmp(places[i].silo, zero->silo) != 0;
    for (int i = 1; silos && i < size; i++) {
        if (!cut_alike(&places[i], zero))
            return frd_fail(story, FEDRDMA_ERR_MISMATCH,
                            "rank %d has FEDRDMA_WINDOW=%llu, rank 0 %llu: calls between silos are cut by it; set the "
                            "same on all ranks",
                            i, (unsigned long long)places[i].window, (unsigned long long)zero->window);
    }
    return FEDRDMA_OK;
}

/* Once for each silo that the file restricts in what only one transport can keep to. */
static void warn_of_unkept(const fedrdma_context *ctx)
{
    const frd_net_policy *const policy = frd_policy_net(ctx->policy);
    bool restricted = policy->rate > 0;
    frd_net_way way;

    if (ctx->silos == NULL || strstr(ctx->conf.transports, "wan") != NULL)
        return;
    for (int i = 0; i < ctx->conf.size; i++) {
        policy->way(policy->arg, i, &way);
        if (i == ctx->conf.rank && way.silo != i)
            return;
        restricted = restricted || way.rate > 0 || way.waits;
    }
    if (restricted)
        frd_logf(&ctx->log, FEDRDMA_LOG_WARN,
                 "%s has rates, dial or dial_in for this silo, to which only the transport wan keeps; set "
                 "FEDRDMA_TRANSPORTS=shm,wan,ucx",
                 ctx->conf.topology);
}

static int exchange_places(fedrdma_context *ctx, frd_boot *boot, frd_story *story)
{
    frd_place mine = { 0 };

    int rc = name_place(ctx, &mine, story);
    fill_rules(ctx, &mine);
    if (rc == FEDRDMA_OK)
        rc = frd_boot_allgather(boot, &mine, ctx->places, sizeof(mine), story);
    for (int i = 0; rc == FEDRDMA_OK && i < ctx->conf.size; i++) {
        frd_place *place = &ctx->places[i];
        place->silo[sizeof(place->silo) - 1] = '\0';
        place->node[sizeof(place->node) - 1] = '\0';
        place->version[sizeof(place->version) - 1] = '\0';
        place->algo[sizeof(place->algo) - 1] = '\0';
        place->topology[sizeof(place->topology) - 1] = '\0';
        rc = check_rules(&ctx->places[0], place, i, story);
    }
    if (rc == FEDRDMA_OK)
        rc = check_windows(ctx->places, ctx->conf.size, story);
    if (rc != FEDRDMA_OK)
        return rc;
    const frd_policy_facts facts = { ctx->silos, ctx->places, ctx->conf.size, ctx->conf.rank,
                                     ctx->conf.gateways };
    rc = frd_policy_create(&facts, story, &ctx->policy);
    if (rc == FEDRDMA_OK)
        warn_of_unkept(ctx);
    return rc;
}

static int open_fabric(fedrdma_context *ctx, frd_boot *boot, frd_story *story)
{
    const frd_fabric_params params = { .conf = &ctx->conf,
                                       .log = &ctx->log,
                                       .stat = &ctx->stat,
                                       .rank = ctx->conf.rank,
                                       .size = ctx->conf.size,
                                       .exchange = boot_exchange,
                                       .exchange_arg = boot,
                                       .dead = frd_engine_dead,
                                       .peer_lost = frd_engine_peer_lost,
                                       .control = frd_engine_control,
                                       .arg = ctx->engine,
                                       .policy = frd_policy_net(ctx->policy) };

    const int rc = frd_fabric_open(&params, story, &ctx->fabric);
    if (rc == FEDRDMA_OK)
        frd_engine_set_fabric(ctx->engine, ctx->fabric);
    return rc;
}

typedef struct boot_ranks {
    frd_boot *boot;
    const fedrdma_context *ctx;
} boot_ranks;

static int boot_gather(void *arg, void *all, size_t bytes, frd_story *story)
{
    const boot_ranks *const b = arg;
    char mine[sizeof(frd_team_card)]; /* a user's allgather may not work in place */

    assert(bytes <= sizeof(mine));
    memcpy(mine, (const char *)all + (size_t)b->ctx->conf.rank * bytes, bytes);
    return frd_boot_allgather(b->boot, mine, all, bytes, story);
}

static int make_world(fedrdma_context *ctx, frd_boot *boot, frd_story *story)
{
    const int size = ctx->conf.size;
    boot_ranks arg = { boot, ctx };
    int *ranks = frd_calloc((size_t)size, sizeof(*ranks));
    frd_comm *world;

    if (ranks == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "out of memory for %d ranks", size);
    for (int i = 0; i < size; i++)
        ranks[i] = i;
    int rc = frd_comm_create(ctx, WORLD_ID, ranks, size, ctx->conf.rank, &world);
    if (rc != FEDRDMA_OK) {
        frd_free(ranks);
        return frd_fail(story, rc, "out of memory for a communicator of %d ranks", size);
    }
    ctx->world = world->handle;
    frd_team_exchange exchange = { boot_gather, &arg, size, ctx->conf.rank, ranks, NULL };
    if (size > 1 && world->nnodes == 1) {
        exchange.room = frd_calloc((size_t)size, FRD_TEAM_EXCHANGE_BYTES);
        rc = exchange.room != NULL ? frd_comm_join_team(world, &exchange, story)
                                   : frd_fail(story, FEDRDMA_ERR_NOMEM, "out of memory for %d ranks", size);
    }
    frd_free(exchange.room);
    frd_free(ranks);
    return rc;
}

/* Reads the topology file, if there is one, and the rank's silo from it. */
static int read_topology(fedrdma_context *ctx, frd_story *story)
{
    frd_conf *conf = &ctx->conf;
    char hostname[256];
    int silo;

    if (conf->topology[0] == '\0')
        return FEDRDMA_OK;
    int rc = frd_silos_load(conf->topology, story, &ctx->silos);
    if (rc != FEDRDMA_OK)
        return rc;
    if (gethostname(hostname, sizeof(hostname)) != 0)
        hostname[0] = '\0';
    hostname[sizeof(hostname) - 1] = '\0';
    const frd_silos_who who = { conf->silo, conf->node, hostname, conf->rank };
    rc = frd_silos_place(ctx->silos, conf->topology, &who, story, &silo);
    if (rc != FEDRDMA_OK)
        return rc;
    ctx->gateway = frd_silos_gateway(ctx->silos, silo, &who);
    if (ctx->gateway != NULL)
        ctx->gateway_number = 1 + (uint64_t)(ctx->gateway - ctx->silos->silo[silo].gateways);
    return frd_conf_set(conf, "silo", ctx->silos->silo[silo].name, "topology file", story);
}

static int join(fedrdma_context *ctx, const fedrdma_options *options, frd_story *story)
{
    frd_boot *boot = NULL;

    int rc = frd_rules_parse(ctx->conf.algo, story, &ctx->rules);
    if (rc == FEDRDMA_OK)
        rc = read_topology(ctx, story);
    if (rc == FEDRDMA_OK)
        rc = frd_engine_create(&ctx->conf, &ctx->log, &ctx->stat, &ctx->engine);
    ctx->places = frd_calloc((size_t)ctx->conf.size, sizeof(*ctx->places));
    if (rc == FEDRDMA_OK && ctx->places == NULL)
        rc = frd_fail(story, FEDRDMA_ERR_NOMEM, "out of memory for %d ranks", ctx->conf.size);
    if (rc == FEDRDMA_OK)
        rc = frd_boot_open(&ctx->conf, options != NULL ? options->oob : NULL,
                           options != NULL ? options->oob_arg : NULL, &ctx->log, story, &boot);
    if (rc == FEDRDMA_OK)
        rc = exchange_places(ctx, boot, story);
    if (rc == FEDRDMA_OK)
        rc = open_fabric(ctx, boot, story);
    if (rc == FEDRDMA_OK)
        rc = make_world(ctx, boot, story);
    frd_boot_close(boot);
    return rc;
}

static void forget_memory(fedrdma_context *ctx)
{
    while (ctx->memory != NULL) {
        frd_memory *m = ctx->memory;
        ctx->memory = m->next;
        frd_fabric_mem_remove(ctx->fabric, m->start, m->bytes);
        frd_free(m);
    }
}

static void destroy(fedrdma_context *ctx)
{
    frd_request_destroy_all(ctx);
    forget_memory(ctx);
    frd_fabric_close(ctx->fabric);
    while (ctx->comms != NULL) {
        fedrdma_comm *handle = ctx->comms->handle;
        frd_comm_destroy(ctx->comms);
        frd_handle_bury(handle);
    }
    frd_engine_destroy(ctx->engine);
    frd_rules_destroy(ctx->rules);
    frd_policy_free(ctx->policy);
    frd_silos_destroy(ctx->silos);
    for (size_t i = 0; i < ctx->nops; i++)
        frd_free(ctx->ops[i]);
    frd_free(ctx->ops);
    frd_free(ctx->places);
    frd_pool_free(&ctx->requests);
    frd_conf_free(&ctx->conf);
    pthread_cond_destroy(&ctx->turn);
    pthread_mutex_destroy(&ctx->lock);
    frd_free(ctx);
}

int fedrdma_init(const fedrdma_options *options, fedrdma_context **out)
{
    frd_story story = { 0 };

    if (out == NULL) {
        frd_fail(&story, FEDRDMA_ERR_INVALID, "fedrdma_init: context is NULL");
        frd_story_publish(&story);
        return FEDRDMA_ERR_INVALID;
    }
    fedrdma_context *ctx = frd_calloc(1, sizeof(*ctx));
    if (ctx == NULL) {
        frd_fail(&story, FEDRDMA_ERR_NOMEM, "fedrdma_init: out of memory");
        frd_story_publish(&story);
        return FEDRDMA_ERR_NOMEM;
    }
    pthread_mutex_init(&ctx->lock, NULL);
    pthread_cond_init(&ctx->turn, NULL);
    frd_pool_init(&ctx->requests, frd_request_bytes());

    int rc = frd_options_resolve(options, &ctx->conf, &ctx->log, &story);
    story.log = &ctx->log;
    if (rc == FEDRDMA_OK) {
        ctx->shared = strcmp(ctx->conf.threads, "multiple") == 0;
        rc = join(ctx, options, &story);
    }
    if (rc != FEDRDMA_OK) {
        frd_story_publish(&story);
        destroy(ctx);
        return rc;
    }
    *out = ctx;
    return FEDRDMA_OK;
}

/* A barrier on a communicator of its own: a rank that leaves early, after a failure perhaps, must not meet the world's
 * calls of others. */
static void say_farewell(fedrdma_context *ctx)
{
    const frd_comm *const world = ctx->world->comm;
    frd_comm *parting;

    if (world->channel.broken != FEDRDMA_OK || world->channel.size == 1)
        return;
    ctx->conf.check = false;
    if (frd_comm_create(ctx, PARTING_ID, world->world, world->channel.size, world->channel.rank, &parting) !=
        FEDRDMA_OK)
        return;
    parting->attr = (fedrdma_attr){ .deadline_ns = ctx->conf.finalize_timeout };
    fedrdma_barrier(parting->handle);
}

/* The others' last messages, bounded; what fails here has no consequence any more. */
static void part(fedrdma_context *ctx)
{
    const uint64_t until = frd_now_ns() + ctx->conf.finalize_timeout;

    say_farewell(ctx);

    uint64_t idle_since = 0;
    while (frd_engine_pending_control(ctx->engine) > 0 && frd_now_ns() < until) {
        const bool moved = frd_engine_progress(ctx->engine) > 0;
        if (moved)
            idle_since = 0;
        else if (idle_since == 0)
            idle_since = frd_now_ns();
        if (!moved)
            frd_fabric_idle(ctx->fabric, idle_since, until);
    }
}

int fedrdma_finalize(fedrdma_context **context)
{
    frd_story story = { 0 };

    if (context == NULL || *context == NULL) {
        frd_fail(&story, FEDRDMA_ERR_INVALID, "fedrdma_finalize: the context is NULL");
        frd_story_publish(&story);
        return FEDRDMA_ERR_INVALID;
    }
    fedrdma_context *ctx = *context;
    if (ctx->active > 0)
        return frd_comm_fail(ctx->world->comm, FEDRDMA_ERR_BUSY,
                             "fedrdma_finalize: %zu requests are active; complete them with fedrdma_wait",
                             ctx->active);
    part(ctx);
    destroy(ctx);
    *context = NULL;
    return FEDRDMA_OK;
}

fedrdma_comm *fedrdma_world(const fedrdma_context *ctx)
{
    return ctx != NULL ? ctx->world : NULL;
}

int fedrdma_progress(fedrdma_context *ctx)
{
    if (ctx == NULL)
        return FEDRDMA_ERR_INVALID;
    frd_context_enter(ctx);
    const uint64_t now = frd_now_ns();
    frd_engine_enter(ctx->engine, now);
    frd_engine_progress(ctx->engine);
    frd_engine_leave(ctx->engine, now);
    frd_context_leave(ctx);
    return FEDRDMA_OK;
}
