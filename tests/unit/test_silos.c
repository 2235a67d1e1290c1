/* SPDX-License-Identifier: BSD-3-Clause
 * test_silos.c - the topology file: what good ones say, again and again, and who is where. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "topo/silos.h"

static frd_story story;
static frd_silos *silos;

static int parse(const char *text)
{
    memset(&story, 0, sizeof story);
    silos = NULL;
    return frd_silos_parse("t.yaml", text, strlen(text), &story, &silos);
}

static void forget(void)
{
    frd_silos_destroy(silos);
    silos = NULL;
}

static void good(const char *text)
{
    ck_assert_msg(parse(text) == FEDRDMA_OK, "%s in:\n%s", story.text, text);
}

#define V "version: 1\n"
#define AB V "silos:\n  a: {gateways: {a1: 192.0.2.1:1}}\n  b: {gateways: {b1: 192.0.2.2:1}}\n"
#define ABC AB "  c: {gateways: {c1: 192.0.2.3:1}}\n"

/* ---- what a file says ----------------------------------------------------------------------------- */

static const char whole[] = "version: 1\n"
                            "links:\n" /* parts in any order */
                            "  - {between: [b, a], rtt: 40ms, dial: a -> b, loss: 0.1%}\n"
                            "  - {from: a, to: b, rate: 300M}\n"
                            "  - {from: b, to: a, rate: 1.5Gbit/s}\n"
                            "  - {between: [b, c], talk: no}\n"
                            "policy:\n"
                            "  relay: no\n"
                            "  avoid: [{between: [c, a], through: [d]}]\n"
                            "silos:\n"
                            "  a:\n"
                            "    gateways:\n"
                            "      A1: [192.0.2.1:7000, '[2001:DB8::0:1]:7001', gw.a.example]\n"
                            "      a2: {addresses: 2001:db8::2, device: mlx5_0:1}\n"
                            "    hosts: [a1, a3]\n"
                            "    ranks: 0-2, 3,8\n"
                            "    egress: 1G\n"
                            "    ingress: 200Mbit/s\n"
                            "    relay: yes\n"
                            "  b:\n"
                            "    gateways: {b1: 192.0.2.9:7000}\n"
                            "    ranks: [4, 5-7]\n"
                            "  c:\n"
                            "    gateways: {c1: }\n"
                            "    dial_in: no\n"
                            "    relay: no\n"
                            "  d:\n"
                            "    gateways: {d1: 192.0.2.10}\n"
                            "    relay: yes\n";

START_TEST(a_whole_file_is_read)
{
    good(whole);
    ck_assert_int_eq(silos->count, 4);
    const frd_silo *a = &silos->silo[0], *c = &silos->silo[2];
    ck_assert_str_eq(a->name, "a");
    ck_assert_uint_eq(a->ngateways, 2);
    ck_assert_str_eq(a->gateways[0].host, "a1");
    ck_assert_str_eq(a->gateways[0].device, "");
    ck_assert_uint_eq(a->gateways[0].naddresses, 3);
    ck_assert_str_eq(a->gateways[0].addresses[0].host, "192.0.2.1");
    ck_assert_uint_eq(a->gateways[0].addresses[0].port, 7000);
    ck_assert_str_eq(a->gateways[0].addresses[1].host, "2001:db8::1");
    ck_assert_uint_eq(a->gateways[0].addresses[1].port, 7001);
    ck_assert_str_eq(a->gateways[0].addresses[2].host, "gw.a.example");
    ck_assert_uint_eq(a->gateways[0].addresses[2].port, 0);
    ck_assert_str_eq(a->gateways[1].addresses[0].host, "2001:db8::2");
    ck_assert_str_eq(a->gateways[1].device, "mlx5_0:1");
    ck_assert_uint_eq(a->nhosts, 2);
    ck_assert_str_eq(a->hosts[1], "a3");
    ck_assert_uint_eq(a->nranks, 2); /* 0-3,8 */
    ck_assert_int_eq(a->ranks[0].last, 3);
    ck_assert_int_eq(a->ranks[1].first, 8);
    ck_assert_uint_eq(a->egress_bps, 1000000000);
    ck_assert_uint_eq(a->ingress_bps, 200000000);
    ck_assert(a->relay && a->dial_in);
    ck_assert(!c->relay && !c->dial_in);
    ck_assert_uint_eq(c->gateways[0].naddresses, 0);
    ck_assert(!silos->silo[1].relay); /* the policy's */
    forget();
}
END_TEST

START_TEST(links_go_into_the_matrix)
{
    good(whole);
    const frd_link *ab = frd_links_get(silos->links, 0, 1), *ba = frd_links_get(silos->links, 1, 0);
    ck_assert_uint_eq(ab->declared.rate_bps, 300000000);
    ck_assert_uint_eq(ba->declared.rate_bps, 1500000000);
    ck_assert_uint_eq(ab->declared.rtt_ns, 40000000);
    ck_assert_uint_eq(ba->declared.rtt_ns, 40000000);
    ck_assert_uint_eq(ba->declared.loss_ppm, 1000);
    ck_assert_uint_eq(ab->flags, FRD_LINK_TALK | FRD_LINK_DIAL);
    ck_assert_uint_eq(ba->flags, FRD_LINK_TALK);
    ck_assert_uint_eq(frd_links_get(silos->links, 0, 2)->flags, FRD_LINK_TALK); /* c takes no connections */
    ck_assert_uint_eq(frd_links_get(silos->links, 2, 0)->flags, FRD_LINK_TALK | FRD_LINK_DIAL);
    ck_assert(frd_links_direct(silos->links, 0, 1) && frd_links_direct(silos->links, 1, 0));
    ck_assert(!frd_links_direct(silos->links, 1, 2) && !frd_links_direct(silos->links, 2, 1));
    ck_assert_uint_eq(ab->measured_at_ns, 0);
    forget();
}
END_TEST

START_TEST(caps_and_relays_are_answered)
{
    good(whole);
    ck_assert_uint_eq(frd_silos_cap_bps(silos, 0, 1), 300000000);  /* the link's */
    ck_assert_uint_eq(frd_silos_cap_bps(silos, 1, 0), 200000000);  /* a's ingress */
    ck_assert_uint_eq(frd_silos_cap_bps(silos, 0, 2), 1000000000); /* a's egress */
    ck_assert_uint_eq(frd_silos_cap_bps(silos, 1, 2), 0);
    ck_assert(frd_silos_may_relay(silos, 1, 2, 0));
    ck_assert(frd_silos_may_relay(silos, 2, 1, 3));
    ck_assert(!frd_silos_may_relay(silos, 0, 2, 3)); /* avoided */
    ck_assert(!frd_silos_may_relay(silos, 2, 0, 3));
    ck_assert(!frd_silos_may_relay(silos, 0, 2, 1)); /* doesn't relay */
    ck_assert(!frd_silos_may_relay(silos, 0, 2, 0)); /* an end */
    ck_assert(!frd_silos_may_relay(silos, 1, 3, 3));
    for (int i = 0; i < 16; i++)
        ck_assert(i / 4 == i % 4 || frd_silos_reachable(silos, i / 4, i % 4));
    forget();
}
END_TEST

/* The pairs of detours are found among others, and only once. */
START_TEST(detours_are_those_of_the_pair)
{
    good(ABC "  d: {gateways: {d1: h:1}}\n"
             "policy: {avoid: [{between: [c, b], through: [a, d, a]}, {between: [a, d], through: b}, "
             "{between: [b, c], through: a}]}\n");
    ck_assert_uint_eq(silos->ndetours, 3);
    for (int i = 0; i < 64; i++) {
        const int from = i / 16, to = i / 4 % 4, via = i % 4;
        const bool bc = from + to == 3 && from * to == 2, ad = from + to == 3 && from * to == 0;
        if (from != to && via != from && via != to)
            ck_assert_int_eq(frd_silos_may_relay(silos, from, to, via), !(bc || (ad && via == 1)));
    }
    forget();
}
END_TEST

/* Along relays of falling number: a - d - c - b. */
START_TEST(ways_lead_through_several_relays)
{
    good(ABC
         "  d: {gateways: {d1: h:1}}\n"
         "links: [{between: [a, b], talk: no}, {between: [a, c], talk: no}, {between: [d, b], talk: no}]\n");
    ck_assert(frd_silos_reachable(silos, 0, 1) && frd_silos_reachable(silos, 1, 0));
    int via[3] = { -1, -1, -1 };
    ck_assert_int_eq(frd_silos_way(silos, NULL, 0, 1, via, 3), 2);
    ck_assert(via[0] == 3 && via[1] == 2 && via[2] == -1);
    ck_assert_int_eq(frd_silos_way(silos, NULL, 1, 0, via, 1), 2); /* no room */
    ck_assert(via[0] == 3);
    ck_assert_int_eq(frd_silos_way(silos, NULL, 0, 3, via, 3), 0);
    const uint64_t present[FRD_SILOS_WORDS] = { 0xb }; /* without c */
    ck_assert_int_eq(frd_silos_way(silos, present, 0, 1, via, 3), -1);
    forget();
}
END_TEST

START_TEST(one_silo_needs_nothing)
{
    good("version: 1\nsilos: {alone: }\n");
    ck_assert_int_eq(silos->count, 1);
    forget();
    good("version: 1\nsilos:\n  alone:\nlinks:\npolicy:\n");
    forget();
    good("\xef\xbb\xbf# a mark of the byte order\nversion: 1\nsilos:\n  alone:\n");
    forget();
    good("version: 1\r\nsilos:\r\n  alone:\r\n    hosts: [a]\r\n");
    forget();
}
END_TEST

/* ---- files ---------------------------------------------------------------------------------------- */

START_TEST(files_are_read_and_refused)
{
    char path[] = "/tmp/frd-silos-XXXXXX";
    const int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)write(fd, whole, sizeof whole - 1), (int)sizeof whole - 1);
    ck_assert_int_eq(frd_silos_load(path, &story, &silos), FEDRDMA_OK);
    ck_assert_int_eq(silos->count, 4);
    forget();
    ck_assert_int_eq(ftruncate(fd, FRD_SILOS_FILE_MAX + 1), 0);
    ck_assert_int_eq(frd_silos_load(path, &story, &silos), FEDRDMA_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(story.text, "more than 4194304 bytes"));
    unlink(path);
    ck_assert_int_eq(frd_silos_load(path, &story, &silos), FEDRDMA_ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(story.text, path));
    ck_assert_ptr_nonnull(strstr(story.text, "No such file"));
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* has no writer: must not hang */
    ck_assert_int_eq(frd_silos_load(path, &story, &silos), FEDRDMA_ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(story.text, "it is no file"));
    unlink(path);
    ck_assert_int_eq(frd_silos_load("/", &story, &silos), FEDRDMA_ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(story.text, "directory"));
    close(fd);
}
END_TEST

START_TEST(examples_are_good)
{
    static const char *const names[] = { "two-hospitals", "three-banks", "five-uneven" };
    const char *srcdir = getenv("srcdir");
    char path[1000];

    snprintf(path, sizeof path, "%s/examples/topologies/%s.yaml", srcdir != NULL ? srcdir : ".", names[_i]);
    ck_assert_msg(frd_silos_load(path, &story, &silos) == FEDRDMA_OK, "%s", story.text);
    forget();
}
END_TEST

/* ---- the same again ------------------------------------------------------------------------------- */

static char *written(const frd_silos *s)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    frd_silos_write(s, out);
    fclose(out);
    return text;
}

/* As in frd_silos_place: a node that the file doesn't have leaves it to the host's name. */
START_TEST(gateways_are_found_as_silos_are)
{
    const frd_silos_who by_node = { "", "A2", "b1", 0 }, by_host = { "", "node7", "A1.some.where", 0 };
    const frd_silos_who other = { "", "c1", "a1", 0 }, none = { "", "node7", "elsewhere", 0 };

    good(V "silos:\n  a: {gateways: {a1: h:1, a2: h:2}, hosts: [c1]}\n  b: {gateways: {b1: h:3}}\n");
    ck_assert_ptr_eq(frd_silos_gateway(silos, 0, &by_node), &silos->silo[0].gateways[1]);
    ck_assert_ptr_eq(frd_silos_gateway(silos, 0, &by_host), &silos->silo[0].gateways[0]);
    ck_assert_ptr_null(frd_silos_gateway(silos, 0, &other)); /* its node is there, and no gateway */
    ck_assert_ptr_null(frd_silos_gateway(silos, 0, &none));
    forget();
}
END_TEST

START_TEST(equal_files_have_one_hash)
{
    good(AB);
    const uint64_t hash = silos->hash;
    forget();
    good("# the same\nsilos:\n  a:\n    relay: yes\n    gateways:\n      a1:\n        addresses: "
         "['192.0.2.1:1']\n"
         "  b: {dial_in: yes, gateways: {b1: [192.0.2.2:1]}}\nversion: 1\n");
    ck_assert_uint_eq(silos->hash, hash);
    forget();
    good(AB "links: [{between: [a, b], rate: 1M}]\n");
    ck_assert_uint_ne(silos->hash, hash);
    forget();
    good(V "silos:\n  a: {gateways: {a1: Host.Example:1, a2: h:2}, hosts: [x, y, z]}\n  b: {gateways: {b1: "
           "h:3}}\n");
    const uint64_t several = silos->hash;
    forget();
    good(V "silos:\n  a: {gateways: {A2: h:2, a1: host.example:1}, hosts: [Z, x, Y]}\n  b: {gateways: {b1: "
           "h:3}}\n");
    ck_assert_uint_eq(silos->hash, several);
    ck_assert_str_eq(silos->silo[0].gateways[0].host, "a1");
    forget();
}
END_TEST

static unsigned long long seed;
static unsigned below(unsigned n)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(seed >> 33) % n;
}

/* A file that is good: silo 0 takes connections, talks to all, and relays. */
static void generate(FILE *out)
{
    const int n = 1 + (int)below(9);
    bool in[9];

    fputs(V "silos:\n", out);
    for (int i = 0; i < n; i++) {
        in[i] = i == 0 || below(3) > 0;
        fprintf(out, "  silo-%d:\n    dial_in: %s\n    relay: %s\n", i, in[i] ? "yes" : "no",
                i == 0 || below(2) ? "on" : "off");
        if (below(2))
            fprintf(out, "    egress: %u.%u%s\n", 1 + below(900), below(10), below(2) ? "M" : "Gbit/s");
        if (below(2))
            fprintf(out, "    ingress: %ubit/s\n", 1 + below(100000));
        if (below(2))
            fprintf(out, "    ranks: %d-%d,%d\n", 100 * i, 100 * i + (int)below(50),
                    100 * i + 52 + (int)below(9));
        if (below(2))
            fprintf(out, "    hosts: [h%d, g%d-0, '%d', 'x%d.y']\n", i, i, i, i + 100 * (int)below(1000));
        fputs("    gateways:\n", out);
        for (int g = 0, all = 1 + (int)below(3); g < all; g++)
            fprintf(out,
                    below(2) ? "      g%d-%d: [10.%d.%d.1:%u, 'fd00::%d:%d']\n"
                             : "      g%d-%d: {addresses: "
                               "10.%d.%d.1:%u, device: e%d.%d}\n",
                    i, g, i, g, 1 + below(65535), i, g + 1);
    }
    fputs("links:\n", out);
    for (int a = 0; a < n; a++)
        for (int b = a + 1; b < n; b++) {
            const unsigned kind = below(6);
            if (a > 0 && kind == 0) {
                fprintf(out, "  - {between: [silo-%d, silo-%d], talk: no}\n", b, a);
                continue;
            }
            const int dialed = in[b] && (kind == 2 || !in[a]) ? b : a;
            if (kind < 3 && in[dialed])
                fprintf(out, "  - {between: [silo-%d, silo-%d], dial: silo-%d->silo-%d, rtt: %u.%ums}\n", a,
                        b, a + b - dialed, dialed, 1 + below(300), below(1000));
            if (kind > 2 && below(2))
                fprintf(out, "  - {between: [silo-%d, silo-%d], loss: %u.%04u%%, rate: %uk}\n", a, b,
                        below(99), 1 + below(9999), 1 + below(1000));
            else if (below(2))
                fprintf(out, "  - {from: silo-%d, to: silo-%d, rate: %uM}\n", b, a, 1 + below(1000));
        }
    fputs("policy:\n  relay: no\n", out);
    if (n > 3)
        fprintf(out, "  avoid: [{between: [silo-0, silo-1], through: [silo-3, silo-2]}]\n");
}

START_TEST(generated_files_come_back_the_same)
{
    char *text = NULL, *once, *twice;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    frd_silos *again = NULL;

    seed = (unsigned long long)_i * 7919 + 1;
    generate(out);
    fclose(out);
    parse(text);
    ck_assert_msg(silos != NULL, "seed %d: %s in:\n%s", _i, story.text, text);
    once = written(silos);
    ck_assert_msg(frd_silos_parse("again", once, strlen(once), &story, &again) == FEDRDMA_OK,
                  "seed %d: %s in:\n%s", _i, story.text, once);
    twice = written(again);
    ck_assert_msg(strcmp(once, twice) == 0, "seed %d:\n%s\n----\n%s", _i, once, twice);
    ck_assert_uint_eq(silos->hash, again->hash);
    for (int i = 0; i < silos->count * silos->count; i++) { /* fields, not only their text */
        const int a = i / silos->count, b = i % silos->count;
        if (a == b)
            continue;
        const frd_link *x = frd_links_get(silos->links, a, b), *y = frd_links_get(again->links, a, b);
        ck_assert_uint_eq(x->flags, y->flags);
        ck_assert_uint_eq(x->declared.rate_bps, y->declared.rate_bps);
        ck_assert_uint_eq(x->declared.rtt_ns, y->declared.rtt_ns);
        ck_assert_uint_eq(x->declared.loss_ppm, y->declared.loss_ppm);
    }
    frd_silos_destroy(again);
    forget();
    free(twice);
    free(once);
    free(text);
}
END_TEST

/* ---- who is where --------------------------------------------------------------------------------- */

#define PLACES \
    V "silos:\n  north: {gateways: {n1: h1:1}, hosts: [n2, s1.north], ranks: 0-3}\n" \
      "  south: {gateways: {s1: h2:1}, ranks: 4-5}\n  west: {gateways: {w1: h3:1}}\n"

static const struct {
    frd_silos_who who;
    int silo; /* -1: error */
    const char *says[2];
} placed[] = {
    { { "south", "", "elsewhere", 4 }, 1, { "", "" } },
    { { "west", "", "elsewhere", 9 }, 2, { "", "" } },
    { { "", "n1", "elsewhere", 0 }, 0, { "", "" } },
    { { "", "", "N2", 9 }, 0, { "", "" } },
    { { "", "", "w1.west.example", 9 }, 2, { "", "" } },
    { { "", "", "s1.north", 9 }, 0, { "", "" } }, /* the whole name before its part */
    { { "", "", "s1.south", 9 }, 1, { "", "" } },
    { { "", "x", "s1", 9 }, 1, { "", "" } }, /* a node that the file doesn't know */
    { { "", "", "elsewhere", 5 }, 1, { "", "" } },
    { { "", "w1", "s1", 9 }, 2, { "", "" } }, /* the node before the host */
    { { "noth", "", "elsewhere", 0 }, -1, { "did you mean \"north\"?", "north, south, west" } },
    { { "", "", "elsewhere", 9 },
      -1,
      { "elsewhere) nor rank 9", "FEDRDMA_SILO to one of north, south, west" } },
    { { "", "nod", "", 9 }, -1, { "(nod, )", "north, south, west" } },
    { { "south", "", "n1", 4 }, -1, { "host \"n1\" in silo \"north\"", "correct" } },
    { { "south", "", "elsewhere", 0 },
      -1,
      { "rank 0 in silo \"south\" (by FEDRDMA_SILO)", "in silo \"north\"" } },
    { { "", "", "n1", 5 }, -1, { "rank 5 in silo \"north\" (by its host)", "in silo \"south\"" } },
};

START_TEST(ranks_find_their_silo)
{
    int silo = -1;

    good(PLACES);
    const int rc = frd_silos_place(silos, "t.yaml", &placed[_i].who, &story, &silo);
    ck_assert_msg(rc == (placed[_i].silo >= 0 ? FEDRDMA_OK : FEDRDMA_ERR_INVALID), "%d: %s", rc, story.text);
    ck_assert_int_eq(silo, placed[_i].silo);
    for (int i = 0; i < 2; i++)
        ck_assert_msg(strstr(story.text, placed[_i].says[i]) != NULL, "no \"%s\" in: %s", placed[_i].says[i],
                      story.text);
    if (placed[_i].silo < 0)
        ck_assert_ptr_nonnull(strstr(story.text, "t.yaml"));
    forget();
}
END_TEST

START_TEST(the_only_silo_is_everybodys)
{
    const frd_silos_who who = { "", "", "elsewhere", 9 };
    int silo = -1;

    good(V "silos: {alone: }\n");
    ck_assert_int_eq(frd_silos_place(silos, "t.yaml", &who, &story, &silo), FEDRDMA_OK);
    ck_assert_int_eq(silo, 0);
    forget();
}
END_TEST

START_TEST(a_table_is_printed)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    good(whole);
    frd_silos_print(silos, out);
    fclose(out);
    ck_assert_ptr_nonnull(
        strstr(text, "\na1       a        -           192.0.2.1:7000, [2001:db8::1]:7001, gw.a.example\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "\na        2         2      1 Gbit/s        200 Mbit/s      yes     yes      0-3,8\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nb      a      yes     a      1.5 Gbit/s      40 ms       0.1%\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nb      c      no      -      -               -           -\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nRelays: a, d\nNot through d: a and c\n"));
    free(text);
    forget();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("silos");
    TCase *says = tcase_create("says"), *again = tcase_create("again"), *places = tcase_create("places");

    tcase_add_test(says, a_whole_file_is_read);
    tcase_add_test(says, links_go_into_the_matrix);
    tcase_add_test(says, caps_and_relays_are_answered);
    tcase_add_test(says, detours_are_those_of_the_pair);
    tcase_add_test(says, ways_lead_through_several_relays);
    tcase_add_test(says, one_silo_needs_nothing);
    tcase_add_test(says, a_table_is_printed);
    tcase_add_test(says, files_are_read_and_refused);
    tcase_add_loop_test(says, examples_are_good, 0, 3);
    tcase_add_test(again, equal_files_have_one_hash);
    tcase_add_test(says, gateways_are_found_as_silos_are);
    tcase_add_loop_test(again, generated_files_come_back_the_same, 0, 300);
    tcase_add_loop_test(places, ranks_find_their_silo, 0, sizeof placed / sizeof placed[0]);
    tcase_add_test(places, the_only_silo_is_everybodys);
    suite_add_tcase(suite, says);
    suite_add_tcase(suite, again);
    suite_add_tcase(suite, places);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
