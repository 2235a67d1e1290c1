/* SPDX-License-Identifier: BSD-3-Clause
 * test_topo.c - places on synthetic machines, network cards of a made-up /sys, and that nothing here fails on
 * whatever machine runs the test. */
#include <check.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "topo/topo.h"

/* ---- identity ------------------------------------------------------------------------------------- */

/* Runs `change` in a child and gives the identity that the child then has; "" when the change was refused. */
static void identity_after(bool (*change)(void), char *text)
{
    char theirs[FRD_TOPO_IDENTITY_MAX] = "";
    int ends[2], status = -1;

    ck_assert_int_eq(pipe(ends), 0);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (change())
            frd_topo_node_identity(theirs, sizeof theirs);
        _exit(write(ends[1], theirs, sizeof theirs) == sizeof theirs ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(read(ends[0], text, sizeof theirs), sizeof theirs);
    close(ends[0]);
    close(ends[1]);
}

static bool move_elsewhere(void)
{
    return chdir("/tmp") == 0 && setenv("HOSTNAME", "elsewhere", 1) == 0;
}

static bool rename_host(void)
{
    return unshare(CLONE_NEWUSER | CLONE_NEWUTS) == 0 && sethostname("elsewhere", 9) == 0;
}

START_TEST(identity_is_the_same_in_another_process)
{
    char mine[FRD_TOPO_IDENTITY_MAX], theirs[FRD_TOPO_IDENTITY_MAX];

    frd_topo_node_identity(mine, sizeof mine);
    identity_after(move_elsewhere, theirs);
    ck_assert_str_eq(mine, theirs);
}
END_TEST

/* A container with a name of its own. */
START_TEST(identity_differs_by_name)
{
    char mine[FRD_TOPO_IDENTITY_MAX], theirs[FRD_TOPO_IDENTITY_MAX];

    frd_topo_node_identity(mine, sizeof mine);
    identity_after(rename_host, theirs);
    if (theirs[0] == '\0') {
        puts("no name spaces here: not tested");
        return;
    }
    ck_assert_int_eq(strncmp(theirs, "elsewhere-", 10), 0);
    ck_assert_str_ne(mine + strlen(mine) - 16, theirs + strlen(theirs) - 16);
}
END_TEST

START_TEST(identity_fits_and_begins_with_the_name)
{
    char text[80], host[256] = "";

    gethostname(host, sizeof host - 1);
    for (size_t bytes = 18; bytes <= sizeof text; bytes++) {
        memset(text, 'x', sizeof text);
        frd_topo_node_identity(text, bytes);
        const size_t length = strlen(text);
        ck_assert_uint_lt(length, bytes);
        ck_assert_uint_lt(length, FRD_TOPO_IDENTITY_MAX);
        ck_assert_uint_ge(length, 17);
        ck_assert_uint_eq(strspn(text + length - 16, "0123456789abcdef"), 16);
        ck_assert_int_eq(text[length - 17], '-');
        ck_assert_int_eq(strncmp(text, host, length - 17), 0);
    }
}
END_TEST

/* ---- places --------------------------------------------------------------------------------------- */

#define SERVER "package:2 numa:2 l3:2(size=33554432) l2:4(size=1048576) l1:1(size=32768) core:1 pu:2"
enum { MB = 1024 * 1024 };

/* SERVER has 2 packages x 2 NUMA nodes x 2 L3 x 4 cores x 2 threads: 32 cores, threads 2i and 2i + 1 on core
 * i, 4 cores an L3, 8 a NUMA node, 16 a package. */
static const struct {
    const char *synthetic, *cpus;
    frd_topo_place place;
} places[] = {
    { SERVER, NULL, { 64, 32, 32, -1, 4, -1, 2, -1, 8, 4, 32 * MB, 32 * 1024, MB } },
    { SERVER, "0-7", { 8, 4, 32, 0, 4, 0, 2, 0, 8, 4, 32 * MB, 32 * 1024, MB } },
    { SERVER, "0", { 1, 1, 32, 0, 4, 0, 2, 0, 8, 4, 32 * MB, 32 * 1024, MB } },
    { SERVER, "0-15", { 16, 8, 32, 0, 4, 0, 2, -1, 8, 4, 32 * MB, 32 * 1024, MB } },
    { SERVER, "0-31", { 32, 16, 32, -1, 4, 0, 2, -1, 8, 4, 32 * MB, 32 * 1024, MB } },
    { SERVER, "56,58,61-63", { 5, 4, 32, 3, 4, 1, 2, 7, 8, 4, 32 * MB, 32 * 1024, MB } },
    { SERVER, "16-23,1000", { 8, 4, 32, 1, 4, 0, 2, 2, 8, 4, 32 * MB, 32 * 1024, MB } },
    { "core:4 pu:1", NULL, { 4, 4, 4, 0, 1, -1, 0, -1, 0, 0, 0, 0, 0 } },
    { "core:4 pu:1", "2", { 1, 1, 4, 0, 1, -1, 0, -1, 0, 0, 0, 0, 0 } },
    { "l2:2(size=2097152) pu:1", "1", { 1, 1, 2, 0, 1, -1, 0, 1, 2, 0, 2 * MB, 0, 2 * MB } },
    { "pu:1", NULL, { 1, 1, 1, 0, 1, -1, 0, -1, 0, 0, 0, 0, 0 } },
};

START_TEST(places_of_synthetic_machines)
{
    const frd_topo_source source = { .synthetic = places[_i].synthetic, .cpus = places[_i].cpus };
    const frd_topo_place want = places[_i].place;
    frd_topo_place got;
    frd_story story = { 0 };

    ck_assert_msg(frd_topo_place_find(&source, &story, &got) == FEDRDMA_OK, "%s", story.text);
    ck_assert_int_eq(got.cpus, want.cpus);
    ck_assert_int_eq(got.cores, want.cores);
    ck_assert_int_eq(got.machine_cores, want.machine_cores);
    ck_assert_int_eq(got.numa, want.numa);
    ck_assert_int_eq(got.numa_nodes, want.numa_nodes);
    ck_assert_int_eq(got.package, want.package);
    ck_assert_int_eq(got.packages, want.packages);
    ck_assert_int_eq(got.cache_group, want.cache_group);
    ck_assert_int_eq(got.cache_groups, want.cache_groups);
    ck_assert_int_eq(got.cache_cores, want.cache_cores);
    ck_assert_uint_eq(got.cache_bytes, want.cache_bytes);
    ck_assert_uint_eq(got.l1_bytes, want.l1_bytes);
    ck_assert_uint_eq(got.l2_bytes, want.l2_bytes);
}
END_TEST

static const struct {
    frd_topo_source source;
    const char *names; /* the story must name it */
} bad_places[] = {
    { { "package:0", NULL, NULL }, "package:0" },
    { { "a horse", NULL, NULL }, "a horse" },
    { { SERVER, "zero", NULL }, "zero" },
    { { SERVER, "100-200", NULL }, "100-200" },
    { { NULL, "", NULL }, "" },
};

START_TEST(bad_places_are_told)
{
    frd_topo_place place = { .cpus = 77 };
    frd_story story = { 0 };

    ck_assert_int_eq(frd_topo_place_find(&bad_places[_i].source, &story, &place), FEDRDMA_ERR_INVALID);
    ck_assert_msg(strstr(story.text, bad_places[_i].names) != NULL, "%s", story.text);
    ck_assert_int_eq(place.cpus, 77); /* written only on success */
    ck_assert_int_eq(frd_topo_place_find(&bad_places[_i].source, NULL, &place), FEDRDMA_ERR_INVALID);
}
END_TEST

START_TEST(this_machine)
{
    frd_topo_place place;
    frd_story story = { 0 };

    ck_assert_msg(frd_topo_place_find(NULL, &story, &place) == FEDRDMA_OK, "%s", story.text);
    ck_assert_int_ge(place.cores, 1);
    ck_assert_int_ge(place.cpus, place.cores);
    ck_assert_int_ge(place.machine_cores, place.cores);
    ck_assert_int_lt(place.numa, 1 << 20);
}
END_TEST

START_TEST(near_is_the_same_node_or_unknown)
{
    frd_topo_place place = { .numa = 1 };

    ck_assert(frd_topo_is_near(&place, 1));
    ck_assert(frd_topo_is_near(&place, -1));
    ck_assert(!frd_topo_is_near(&place, 0));
    place.numa = -1;
    ck_assert(frd_topo_is_near(&place, 0));
}
END_TEST

/* ---- network cards -------------------------------------------------------------------------------- */

static char root[] = "/tmp/test_topo.XXXXXX";

static void make(const char *path, const char *text)
{
    char full[256];

    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
        *slash = '\0';
        mkdir(full, 0700);
    }
    FILE *file = fopen(full, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void make_root(void)
{
    snprintf(root, sizeof root, "/tmp/test_topo.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_root(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(nics_of_a_made_up_machine)
{
    const frd_topo_source source = { .sys = root };
    frd_topo_nic *nics;
    size_t count;
    char path[64];

    make("class/net/lo/operstate", "unknown\n");
    make("class/net/eth1/operstate", "down\n");
    make("class/net/eth1/speed", "-1\n");
    make("class/net/eth1/device/numa_node", "1\n");
    make("class/net/eth0/operstate", "up\n");
    make("class/net/eth0/speed", "100000\n");
    make("class/net/eth0/device/numa_node", "-1\n");
    make("class/net/tun0/operstate", "unknown\n");
    make("class/net/bad0/operstate", "");
    make("class/net/bad0/speed", "99999999999999999999 furlongs\n");
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "class/net/veth%02d/operstate", i);
        make(path, "up\n");
    }
    ck_assert_int_eq(frd_topo_nics_find(&source, NULL, &nics, &count), FEDRDMA_OK);
    ck_assert_uint_eq(count, 24);
    ck_assert_str_eq(nics[0].name, "bad0");
    ck_assert(!nics[0].up && !nics[0].physical && nics[0].mbps == 0 && nics[0].numa == -1);
    ck_assert_str_eq(nics[1].name, "eth0");
    ck_assert(nics[1].up && nics[1].physical && nics[1].mbps == 100000 && nics[1].numa == -1);
    ck_assert_str_eq(nics[2].name, "eth1");
    ck_assert(!nics[2].up && nics[2].physical && nics[2].mbps == 0 && nics[2].numa == 1);
    ck_assert_str_eq(nics[3].name, "tun0");
    ck_assert(nics[3].up && !nics[3].physical);
    ck_assert_str_eq(nics[23].name, "veth19");
    frd_free(nics);
}
END_TEST

START_TEST(cards_are_near_by_name)
{
    const frd_topo_source first = { .synthetic = "numa:2 core:2 pu:1", .cpus = "0-1", .sys = root };
    const frd_topo_source second = { .synthetic = "numa:2 core:2 pu:1", .cpus = "2-3", .sys = root };

    make("class/net/eth0/operstate", "up\n");
    make("class/net/eth0/device/numa_node", "0\n");
    make("class/net/eth1/operstate", "down\n");
    make("class/net/eth1/device/numa_node", "1\n");
    make("class/net/tun0/operstate", "unknown\n");
    ck_assert(frd_topo_is_near_card(&first, "eth0") && !frd_topo_is_near_card(&first, "eth1"));
    ck_assert(!frd_topo_is_near_card(&second, "eth0") && frd_topo_is_near_card(&second, "eth1"));
    ck_assert(frd_topo_is_near_card(&second, "tun0")); /* nobody knows where */
    ck_assert(frd_topo_is_near_card(&first, "") && !frd_topo_is_near_card(&second, "")); /* up, and a card */
    ck_assert(!frd_topo_is_near_card(&first, "eth2") && !frd_topo_is_near_card(&first, "127.0.0.1"));
}
END_TEST

/* A port of RoCE whose table has GIDs at 0 and 2, one of InfiniBand, one of RoCE without an address. */
START_TEST(gids_of_a_made_up_machine)
{
    static const char *const none = "0000:0000:0000:0000:0000:0000:0000:0000\n";
    static const char *const own = "fe80:0000:0000:0000:0202:00ff:fe00:0001\n";
    const frd_topo_source source = { .sys = root };
    frd_topo_gid *gids;
    size_t count;

    make("class/infiniband/roce0/ports/1/link_layer", "Ethernet\n");
    make("class/infiniband/roce0/ports/1/gids/0", own);
    make("class/infiniband/roce0/ports/1/gids/1", none);
    make("class/infiniband/roce0/ports/1/gids/2", "0000:0000:0000:0000:0000:ffff:0a4e:0201\n");
    make("class/infiniband/roce0/ports/1/gid_attrs/types/2", "RoCE v2\n");
    make("class/infiniband/roce0/ports/1/gid_attrs/ndevs/2", "eth1\n");
    make("class/infiniband/ib0/ports/1/link_layer", "InfiniBand\n");
    make("class/infiniband/ib0/ports/1/gids/0", own);
    make("class/infiniband/roce1/ports/2/link_layer", "Ethernet\n");
    make("class/infiniband/roce1/ports/2/gids/0", own);
    make("class/infiniband/roce1/ports/2/gids/1", "nonsense\n");
    make("class/infiniband/roce1/ports/2/gids/2", "0000:0000:0000:0000:0000:ffff:0a4e:0201\n");

    ck_assert_int_eq(frd_topo_gids_find(&source, "roce0", 1, NULL, &gids, &count), FEDRDMA_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(gids[0].index, 0);
    ck_assert_str_eq(gids[0].text, "fe80::202:ff:fe00:1");
    ck_assert_str_eq(gids[0].type, "");
    ck_assert_int_eq(gids[1].index, 2);
    ck_assert_str_eq(gids[1].text, "10.78.2.1");
    ck_assert_str_eq(gids[1].type, "RoCE v2");
    ck_assert_str_eq(gids[1].interface, "eth1");
    frd_free(gids);
    ck_assert_int_eq(frd_topo_gids_find(&source, "roce0", 2, NULL, &gids, &count), FEDRDMA_OK);
    ck_assert_ptr_null(gids);
    ck_assert_uint_eq(count, 0);
    ck_assert(frd_topo_has_address(&source, "roce0", 1));
    ck_assert(frd_topo_has_address(&source, "ib0", 1));
    ck_assert(!frd_topo_has_address(&source, "roce1", 2));
    ck_assert(frd_topo_has_address(&source, "unknown", 1)); /* who knows */
}
END_TEST

START_TEST(no_sys_is_no_nics)
{
    const frd_topo_source source = { .sys = "/nonexistent" };
    frd_topo_nic *nics = (frd_topo_nic *)&source;
    size_t count = 7;

    ck_assert_int_eq(frd_topo_nics_find(&source, NULL, &nics, &count), FEDRDMA_OK);
    ck_assert_ptr_null(nics);
    ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(cards_of_this_machine)
{
    frd_topo_nic *nics;
    frd_topo_port *ports;
    size_t count;

    ck_assert_int_eq(frd_topo_nics_find(NULL, NULL, &nics, &count), FEDRDMA_OK);
    for (size_t i = 0; i < count; i++)
        ck_assert_uint_gt(strlen(nics[i].name), 0);
    frd_free(nics);
    ck_assert_int_eq(frd_topo_ports_find(NULL, &ports, &count), FEDRDMA_OK);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_gt(strlen(ports[i].device), 0);
        ck_assert_int_ge(ports[i].port, 0);
        ck_assert_ptr_nonnull(ports[i].state);
        ck_assert_ptr_nonnull(ports[i].link);
    }
    ck_assert((ports == NULL) == (count == 0));
    frd_free(ports);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 30);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("topo");
    TCase *tcase = add_case(suite, "identity");
    tcase_add_test(tcase, identity_is_the_same_in_another_process);
    tcase_add_test(tcase, identity_fits_and_begins_with_the_name);
    tcase_add_test(tcase, identity_differs_by_name);
    tcase = add_case(suite, "place");
    tcase_add_loop_test(tcase, places_of_synthetic_machines, 0, sizeof places / sizeof places[0]);
    tcase_add_loop_test(tcase, bad_places_are_told, 0, sizeof bad_places / sizeof bad_places[0]);
    tcase_add_test(tcase, this_machine);
    tcase_add_test(tcase, near_is_the_same_node_or_unknown);
    tcase = add_case(suite, "cards");
    tcase_add_checked_fixture(tcase, make_root, remove_root);
    tcase_add_test(tcase, nics_of_a_made_up_machine);
    tcase_add_test(tcase, cards_are_near_by_name);
    tcase_add_test(tcase, gids_of_a_made_up_machine);
    tcase_add_test(tcase, no_sys_is_no_nics);
    tcase_add_test(tcase, cards_of_this_machine);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
