/* SPDX-License-Identifier: BSD-3-Clause
 * fedrdma-info.c - prints what this build of the library has and what this host offers. Everything comes from
 * the tables that the library itself runs on. Only --links (info_links.c) joins a job and opens connections.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/mem.h"
#include "base/stat.h"
#include "base/value.h"
#include "base/clock.h"
#include "collectives/coll.h"
#include "net/ucx_version.h"
#include "reduce/reduce.h"
#include "topo/silos.h"
#include "topo/topo.h"
#include "info_links.h"

#ifdef __clang__
static const char compiler[] = __VERSION__; /* begins with the name */
#else
static const char compiler[] = "gcc " __VERSION__;
#endif

static const char help[] =
    "Usage: fedrdma-info [what]\n"
    "\n"
    "Prints what this build of libfedrdma has and what this host offers: by default a summary.\n"
    "\n"
    "  --options        every option: name, environment variable, kind, default, meaning\n"
    "  --algorithms     every algorithm of every collective, and the rules that choose among them\n"
    "    --ranks N      instead: which algorithm is chosen at which size among N ranks\n"
    "  --counters       every counter (fedrdma_counter) and its meaning\n"
    "  --errors         every error code: name, value, text\n"
    "  --devices        verbs ports with their GIDs, and network interfaces; the NUMA node of each\n"
    "  --topology FILE  checks a topology file and shows what it says: silos, gateways, links, policy\n"
    "  --links          measures the links between silos; run it as every rank of a job with fedrdma-run,\n"
    "                   or by hand in each silo (the manual page shows both)\n"
    "    --time T       instead: send for so long each way of each link (default: 1s, or 25 round trips)\n"
    "    --watch        and again, every 5 s: one screen, or a line for each link where that is no terminal\n"
    "    --every T      instead: so often\n"
    "    --count N      end after N tables\n"
    "  -h, --help       this text\n"
    "  -V, --version    the version\n"
    "\n"
    "FEDRDMA_ALGO is minded by --algorithms; without it the built-in rules are shown.\n";

enum {
    OPT_OPTIONS = 1,
    OPT_ALGORITHMS,
    OPT_RANKS,
    OPT_COUNTERS,
    OPT_ERRORS,
    OPT_DEVICES,
    OPT_TOPOLOGY,
    OPT_LINKS,
    OPT_TIME,
    OPT_WATCH,
    OPT_EVERY,
    OPT_COUNT
};

static const struct option longs[] = {
    { "options", no_argument, NULL, OPT_OPTIONS },
    { "algorithms", no_argument, NULL, OPT_ALGORITHMS },
    { "ranks", required_argument, NULL, OPT_RANKS },
    { "counters", no_argument, NULL, OPT_COUNTERS },
    { "errors", no_argument, NULL, OPT_ERRORS },
    { "devices", no_argument, NULL, OPT_DEVICES },
    { "topology", required_argument, NULL, OPT_TOPOLOGY },
    { "links", no_argument, NULL, OPT_LINKS },
    { "time", required_argument, NULL, OPT_TIME },
    { "watch", no_argument, NULL, OPT_WATCH },
    { "every", required_argument, NULL, OPT_EVERY },
    { "count", required_argument, NULL, OPT_COUNT },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

static int wider(int width, const char *text)
{
    const int length = (int)strlen(text);
    return length > width ? length : width;
}

/* ---- tables --------------------------------------------------------------------------------------- */

static void variable_of(const char *name, char *variable, size_t bytes)
{
    snprintf(variable, bytes, "FEDRDMA_%s", name);
    for (char *c = variable; *c != '\0'; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
}

static int print_options(void)
{
    int name = 6, preset = 7;
    char variable[80];

    for (size_t i = 0; i < frd_conf_count(); i++) {
        name = wider(name, frd_conf_name(i));
        preset = wider(preset, frd_conf_default(i));
    }
    const int var = name + 8;
    printf("%-*s  %-*s  %-4s  %-*s  %s\n", name, "Option", var, "Variable", "Kind", preset, "Default",
           "Meaning");
    for (size_t i = 0; i < frd_conf_count(); i++) {
        const char *fallback = frd_conf_default(i);
        variable_of(frd_conf_name(i), variable, sizeof variable);
        printf("%-*s  %-*s  %-4s  %-*s  %s\n", name, frd_conf_name(i), var, variable, frd_conf_kind(i),
               preset, fallback[0] != '\0' ? fallback : "-", frd_conf_text(i));
    }
    printf("\nSizes take k, m, g (1024-based); times need ns, us, ms, s, m or h; bool is 0 or 1.\n"
           "A value of fedrdma_options_set wins over the variable.\n");
    return EXIT_SUCCESS;
}

static int print_counters(void)
{
    int name = 7;

    for (size_t i = 0; i < frd_stat_count(); i++)
        name = wider(name, frd_stat_name(i));
    printf("%-*s  %s\n", name, "Counter", "Meaning");
    for (size_t i = 0; i < frd_stat_count(); i++)
        printf("%-*s  %s\n", name, frd_stat_name(i), frd_stat_text(i));
    return EXIT_SUCCESS;
}

static int print_errors(void)
{
#define ROW(name, value, text) { "FEDRDMA_" #name, value, text },
    static const struct {
        const char *name;
        int value;
        const char *text;
    } rows[] = { FEDRDMA_ERROR_TABLE(ROW) };
#undef ROW
    const size_t count = sizeof rows / sizeof rows[0];
    int name = 5;

    for (size_t i = 0; i < count; i++)
        name = wider(name, rows[i].name);
    printf("%-*s  %5s  %s\n", name, "Error", "Value", "Meaning");
    for (size_t i = 0; i < count; i++)
        printf("%-*s  %5d  %s\n", name, rows[i].name, rows[i].value, rows[i].text);
    return EXIT_SUCCESS;
}

/* ---- algorithms ----------------------------------------------------------------------------------- */

static void size_text(size_t bytes, char *text, size_t room)
{
    static const char units[] = { '\0', 'k', 'm', 'g', 't' };
    size_t unit = 0;

    while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < sizeof units) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, room, "%zu%.1s", bytes, &units[unit]);
}

static void flags_text(unsigned flags, char *text, size_t room)
{
    snprintf(text, room, "%s%s%s%s",
             (flags & (FRD_ALGO_COMMUTATIVE | FRD_ALGO_SILO_ORDER)) != 0 ? " [commutative operators]" : "",
             (flags & FRD_ALGO_POW2) != 0 ? " [2^k ranks]" : "",
             (flags & FRD_ALGO_REGULAR) != 0 ? " [equal blocks]" : "",
             (flags & FRD_ALGO_NODE) != 0 ? " [one node]" : "");
}

static void print_algorithms(const frd_rules *rules)
{
    char line[160], flags[80];
    int coll = 10, name = 9;

    for (size_t i = 0; i < frd_algo_count(); i++) {
        coll = wider(coll, frd_coll_name(frd_algo_at(i)->coll));
        name = wider(name, frd_algo_at(i)->name);
    }
    printf("%-*s  %-*s  %s\n", coll, "Collective", name, "Algorithm",
           "n ranks, L bytes in all: steps; bytes sent");
    for (size_t i = 0; i < frd_algo_count(); i++) {
        const frd_algo *algo = frd_algo_at(i);
        flags_text(algo->flags, flags, sizeof flags);
        printf("%-*s  %-*s  %s%s\n", coll, frd_coll_name(algo->coll), name, algo->name, algo->text, flags);
    }
    printf("\nRules, of which the first wins that fits the call and whose algorithm can do it "
           "(collective:bytes\n"
           "from-to:algorithm; bytes of the vector, or of one rank's block):\n");
    for (size_t i = 0;; i++) {
        frd_rules_line(rules, i, line, sizeof line);
        if (line[0] == '\0')
            break;
        printf("  %s\n", line);
    }
}

static const char *chosen(const frd_rules *rules, int coll, int ranks, size_t bytes)
{
    const frd_choice choice = {
        .coll = coll, .ranks = ranks, .bytes = bytes, .regular = true, .commutative = true
    };
    const frd_algo *algo = frd_rules_select(rules, &choice);

    return algo != NULL ? algo->name : "-";
}

/* The smallest size above `low` (of another algorithm than `high`) at which it is as at `high`. */
static size_t boundary(const frd_rules *rules, int coll, int ranks, size_t low, size_t high)
{
    const char *above = chosen(rules, coll, ranks, high);

    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(chosen(rules, coll, ranks, middle), above) == 0)
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* Sizes are tried in steps of 1/16, so a rule for a narrower range than that may not show. */
static void print_choices(const frd_rules *rules, int ranks)
{
    const size_t largest = (size_t)1 << 40;
    char from_text[32], to_text[32], range[80];

    printf("%-16s%-24s%s\n", "Collective", "Bytes", "Algorithm");
    for (int coll = 0; coll < FRD_NCOLLS; coll++) {
        size_t from = 0;
        for (size_t at = 0, next = 0; at < largest; at = next) {
            next = at + at / 16 + 1;
            const char *name = chosen(rules, coll, ranks, at);
            const bool last = next >= largest;
            if (!last && strcmp(name, chosen(rules, coll, ranks, next)) == 0)
                continue;
            const size_t to = last ? largest : boundary(rules, coll, ranks, at, next);
            size_text(from, from_text, sizeof from_text);
            size_text(to, to_text, sizeof to_text);
            snprintf(range, sizeof range, "%s-%s", from_text, last ? "" : to_text);
            printf("%-16s%-24s%s\n", frd_coll_name(coll), range, name);
            from = to;
        }
    }
    printf("\nAmong %d rank%s, for commutative operators and equal blocks; to is exclusive.\n", ranks,
           ranks == 1 ? "" : "s");
}

static int complain(const frd_story *story)
{
    fprintf(stderr, "fedrdma-info: %s\n", story->text);
    return EXIT_FAILURE;
}

static int print_selection(int ranks)
{
    frd_conf conf = { 0 };
    frd_story story = { 0 };
    frd_rules *rules = NULL;

    int rc = frd_conf_init(&conf, &story);
    if (rc == FEDRDMA_OK)
        rc = frd_conf_environment(&conf, NULL, &story);
    if (rc == FEDRDMA_OK)
        rc = frd_rules_parse(conf.algo, &story, &rules);
    if (rc == FEDRDMA_OK && ranks > 0)
        print_choices(rules, ranks);
    else if (rc == FEDRDMA_OK)
        print_algorithms(rules);
    frd_rules_destroy(rules);
    frd_conf_free(&conf);
    return rc == FEDRDMA_OK ? EXIT_SUCCESS : complain(&story);
}

/* ---- the host ------------------------------------------------------------------------------------- */

static void row(const char *name, const char *value)
{
    printf("  %-18s%s\n", name, value);
}

/* What cannot be found out has no place: everything is near then. */
static void find_place(frd_topo_place *place)
{
    frd_story story = { 0 };

    if (frd_topo_place_find(NULL, &story, place) != FEDRDMA_OK) {
        *place = (frd_topo_place){ .numa = -1, .package = -1, .cache_group = -1 };
        (void)complain(&story);
    }
}

static void locality(const frd_topo_place *place, int numa, char *text, size_t room)
{
    if (numa < 0)
        snprintf(text, room, "-");
    else
        snprintf(text, room, "NUMA %d, %s", numa, frd_topo_is_near(place, numa) ? "near" : "far");
}

static void print_ports(const frd_topo_place *place, const frd_topo_port *ports, size_t count)
{
    char rate[32], where[40], number[16];

    printf("%-16s%-6s%-10s%-12s%-12s%-6s%s\n", "Verbs device", "Port", "State", "Link", "Rate", "GIDs",
           "Locality");
    for (size_t i = 0; i < count; i++) {
        snprintf(number, sizeof number, ports[i].port > 0 ? "%d" : "-", ports[i].port);
        snprintf(rate, sizeof rate, ports[i].gbps > 0 ? "%g Gbit/s" : "-", ports[i].gbps);
        locality(place, ports[i].numa, where, sizeof where);
        printf("%-16s%-6s%-10s%-12s%-12s%-6d%s\n", ports[i].device, number, ports[i].state, ports[i].link,
               rate, ports[i].gids, where);
    }
    if (count == 0)
        printf("none\n");
}

/* false: out of memory. A port of RoCE has one for each address of its interface, or two. */
static bool print_gids(const frd_topo_port *ports, size_t count, frd_story *story)
{
    char name[FRD_TOPO_NAME_MAX + 16];
    frd_topo_gid *gids;
    size_t n, lines = 0;

    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s:%d", ports[i].device, ports[i].port);
        if (ports[i].port == 0)
            continue;
        if (frd_topo_gids_find(NULL, ports[i].device, ports[i].port, story, &gids, &n) != FEDRDMA_OK)
            return false;
        for (size_t k = 0; k < n; k++) {
            if (lines++ == 0)
                printf("\n%-16s%-6s%-16s%-16s%s\n", "GIDs of", "Index", "Type", "Interface", "Address");
            printf("%-16s%-6d%-16s%-16s%s\n", name, gids[k].index, gids[k].type[0] != '\0' ? gids[k].type : "-",
                   gids[k].interface[0] != '\0' ? gids[k].interface : "-", gids[k].text);
        }
        frd_free(gids);
        if (strcmp(ports[i].state, "active") == 0 && !frd_topo_has_address(NULL, ports[i].device, ports[i].port))
            printf("%s has no GID that others could reach: give the interface below an IP address\n", name);
    }
    return true;
}

static void print_nics(const frd_topo_place *place, const frd_topo_nic *nics, size_t count)
{
    char rate[32], where[40];

    printf("%-16s%-6s%-10s%-14s%s\n", "Interface", "State", "Kind", "Rate", "Locality");
    for (size_t i = 0; i < count; i++) {
        snprintf(rate, sizeof rate, nics[i].mbps > 0 ? "%d Mbit/s" : "-", nics[i].mbps);
        locality(place, nics[i].numa, where, sizeof where);
        printf("%-16s%-6s%-10s%-14s%s\n", nics[i].name, nics[i].up ? "up" : "down",
               nics[i].physical ? "card" : "virtual", rate, where);
    }
    if (count == 0)
        printf("none\n");
}

static int print_devices(void)
{
    frd_topo_place place;
    frd_topo_port *ports = NULL;
    frd_topo_nic *nics = NULL;
    size_t nports = 0, nnics = 0;
    frd_story story = { 0 };

    find_place(&place);
    int rc = frd_topo_ports_find(&story, &ports, &nports);
    if (rc == FEDRDMA_OK)
        rc = frd_topo_nics_find(NULL, &story, &nics, &nnics);
    if (rc == FEDRDMA_OK) {
        print_ports(&place, ports, nports);
        rc = print_gids(ports, nports, &story) ? FEDRDMA_OK : story.rc;
        printf("\n");
        print_nics(&place, nics, nnics);
        if (place.numa >= 0)
            printf("\nNear is the NUMA node of this process, %d.\n", place.numa);
    }
    frd_free(ports);
    frd_free(nics);
    return rc == FEDRDMA_OK ? EXIT_SUCCESS : complain(&story);
}

static int print_topology(const char *path)
{
    frd_story story = { 0 };
    frd_silos *silos = NULL;

    if (frd_silos_load(path, &story, &silos) != FEDRDMA_OK)
        return complain(&story);
    frd_silos_print(silos, stdout);
    frd_silos_destroy(silos);
    return EXIT_SUCCESS;
}

static void print_library(void)
{
    static const char *const isas[] = { "scalar", "avx2", "avx512", "neon" };
    char text[160];

    printf("libfedrdma %s\n", fedrdma_version());
    row("compiler", compiler);
    snprintf(text, sizeof text, "%zu, options %zu, counters %zu", frd_algo_count(), frd_conf_count(),
             frd_stat_count());
    row("algorithms", text);
    int at = snprintf(text, sizeof text, "%s (usable here:", frd_reduce_isa());
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
        if (frd_reduce_kernel_isa(isas[i], FEDRDMA_F32, FEDRDMA_SUM) != NULL)
            at += snprintf(text + at, sizeof text - (size_t)at, " %s", isas[i]);
    }
    snprintf(text + at, sizeof text - (size_t)at, ")");
    row("reductions", text);
    row("UCX", frd_ucx_version());
}

static void cache_text(const frd_topo_place *place, char *text, size_t room)
{
    char l1[32], l2[32], last[32];

    size_text(place->l1_bytes, l1, sizeof l1);
    size_text(place->l2_bytes, l2, sizeof l2);
    size_text(place->cache_bytes, last, sizeof last);
    if (place->cache_bytes == 0)
        snprintf(text, room, "unknown");
    else
        snprintf(text, room, "L1 %s, L2 %s, last level %s for %d core%s", l1, l2, last, place->cache_cores,
                 place->cache_cores == 1 ? "" : "s");
}

/* "0 of 2", "several of 2". */
static void one_of(int index, int count, char *text, size_t room)
{
    if (count <= 0)
        snprintf(text, room, "unknown");
    else if (index < 0)
        snprintf(text, room, "several of %d", count);
    else
        snprintf(text, room, "%d of %d", index, count);
}

static void print_host(void)
{
    frd_topo_place place;
    char text[160];

    find_place(&place);
    printf("\nThis process's place\n");
    frd_topo_node_identity(text, sizeof text);
    row("node", text);
    snprintf(text, sizeof text, "%d of %d (hardware threads: %d)", place.cores, place.machine_cores,
             place.cpus);
    row("cores", text);
    one_of(place.numa, place.numa_nodes, text, sizeof text);
    row("NUMA node", text);
    one_of(place.package, place.packages, text, sizeof text);
    row("package", text);
    one_of(place.cache_group, place.cache_groups, text, sizeof text);
    row("last-level cache", text);
    cache_text(&place, text, sizeof text);
    row("cache sizes", text);
    printf("\n");
}

static int print_summary(void)
{
    print_library();
    print_host();
    return print_devices();
}

static int usage(const char *why, const char *what)
{
    fprintf(stderr, "fedrdma-info: %s%s; see fedrdma-info --help\n", why, what);
    return 2;
}

/* By option; --algorithms and --topology have arguments of their own. */
static int (*const lists[])(void) = { [0] = print_summary,
                                      [OPT_OPTIONS] = print_options,
                                      [OPT_COUNTERS] = print_counters,
                                      [OPT_ERRORS] = print_errors,
                                      [OPT_DEVICES] = print_devices };

/* What was asked for. */
typedef struct asked {
    int what, ranks; /* an option; 0: none */
    const char *file;
    info_links links;
    const char *links_only; /* an option that goes with --links */
} asked;

/* 0, or the exit status + 1 for an option that ends the program. */
static int take(asked *a, int option, const char *value)
{
    const bool is_time = option == OPT_TIME || option == OPT_EVERY;
    uint64_t *const time_ns = option == OPT_TIME ? &a->links.time_ns : &a->links.every_ns;

    if (option >= OPT_TIME && option <= OPT_COUNT)
        a->links_only = longs[option - 1].name;
    if (is_time &&
        (frd_value_time_ns(value, time_ns) != NULL || *time_ns == 0 || *time_ns > 3600 * FRD_NS_PER_S))
        return 1 + usage("--time and --every need a time up to 1h with its unit, such as 500ms, not ", value);
    switch (option) {
    case 'h':
        fputs(help, stdout);
        return 1 + EXIT_SUCCESS;
    case 'V':
        printf("fedrdma-info %s\n", fedrdma_version());
        return 1 + EXIT_SUCCESS;
    case OPT_RANKS:
        if (frd_value_int(value, &a->ranks) != NULL || a->ranks < 1)
            return 1 + usage("--ranks needs a number from 1, not ", value);
        return 0;
    case OPT_COUNT:
        if (frd_value_int(value, &a->links.count) != NULL || a->links.count < 1)
            return 1 + usage("--count needs a number from 1, not ", value);
        return 0;
    case OPT_WATCH:
        a->links.watch = true;
        return 0;
    case OPT_TIME:
    case OPT_EVERY:
        return 0;
    case '?':
        return 1 + 2;
    default:
        if (a->what != 0 && a->what != option)
            return 1 + usage("one kind of list at a time", "");
        a->what = option;
        a->file = value;
        return 0;
    }
}

int main(int argc, char **argv)
{
    asked a = { .links = { .every_ns = 5 * FRD_NS_PER_S } };
    int c, end = 0;

    while (end == 0 && (c = getopt_long(argc, argv, "hV", longs, NULL)) != -1)
        end = take(&a, c, optarg);
    if (end != 0)
        return end - 1;
    if (optind < argc)
        return usage("unexpected argument ", argv[optind]);
    if (a.ranks != 0 && a.what != OPT_ALGORITHMS)
        return usage("--ranks goes with --algorithms", "");
    if (a.links_only != NULL && a.what != OPT_LINKS)
        return usage("only --links has the option ", a.links_only);
    if (a.links.count > 0 && !a.links.watch)
        return usage("--count goes with --watch", "");
    if (a.what == OPT_LINKS)
        return info_links_run(&a.links);
    if (a.what == OPT_TOPOLOGY)
        return print_topology(a.file);
    return a.what == OPT_ALGORITHMS ? print_selection(a.ranks) : lists[a.what]();
}
