/* SPDX-License-Identifier: BSD-3-Clause
 * test_silos.c - the topology file: what a good one says, and every error with its line and column. */
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
    ck_assert_str_eq(a->gateways[0].host, "A1");
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

/* ---- errors --------------------------------------------------------------------------------------- */

static const struct {
    const char *text, *at, *says, *mend;
} errors[] = {
    /* YAML */
    { "", "1:1", "empty", "fedrdma-topology(5)" },
    { "# nothing\n", "1:1", "empty", "fedrdma-topology(5)" },
    { V "silos:\n\ta: 1\n", "3:1", "not YAML", "spaces, not tabs" },
    { V "silos:\n  a: [1, 2", "3:11", "not YAML", "began in line 3" },
    { V "silos:\n  \xc3\xa4: [1, 2", "3:11", "not YAML", "began in line 3" },
    { V "silos:", "2:7", "silos must be a map", "add one" },
    { V "silos:\n  a: [1, 2\n", "4:1", "not YAML", "began in line 3" },
    { V "silos:\n  a: {gateways: {g: [2001:db8::1]:7100}}\n", "3:34", "not YAML", "in quotes" },
    { V "silos:\n  a: \"\xff\"\n", "3:7", "not a text", "UTF-8" },
    { V "silos:\n  a: \x01\n", "3:6", "not a text", "UTF-8" },
    { V "silos:\n  \"a\\e[31m\":\n", "3:3", "control character", "leave it out" },
    { V "silos:\n  a: {hosts: [\"x\\0y\"]}\n", "3:15", "control character", "leave it out" },
    { V "silos:\n  a: {hosts: [\"x\\x85y\"]}\n", "3:15", "control character", "leave it out" },
    { V "silos:\n  a: {hosts: [\"x\\x7fy\"]}\n", "3:15", "control character", "leave it out" },
    { V "silos: &x\n  a:\n", "2:8", "an anchor", "spell" },
    { V "silos:\n  a: {hosts: *x}\n", "3:14", "an alias", "spell" },
    { V "silos: !!map\n  a:\n", "2:8", "a tag", "spell" },
    { V "silos:\n  a:\n---\nversion: 1\n", "4:1", "second document", "one file" },
    { V "silos:\n  a:\n    relay: no\n  b:\n  a:\n", "6:3", "\"a\" is there twice, first in line 3",
      "remove" },
    { V "silos:\n  ? [a, b]\n  : 1\n", "3:5", "a key that is no text", "key: value" },
    { "[[[[[[[[[[[[[1]]]]]]]]]]]]]", "1:13", "nested deeper than 12", "half" },
    /* the file */
    { "- a\n", "1:1", "the file must be a map", "version" },
    { "hello\n", "1:1", "the file must be a map", "version" },
    { "silos:\n  a:\n", "1:1", "version", "version: 1" },
    { "version: 2\nsilos: {a: }\n", "1:10", "version \"2\"", "reads 1" },
    { "version: [1]\nsilos: {a: }\n", "1:10", "version", "reads 1" },
    { V, "1:1", "no silos", "silos:" },
    { V "silos:\n", "2:7", "silos must be a map", "add one" },
    { V "silos: {}\n", "2:8", "silos must be a map", "add one" },
    { V "silos: [a, b]\n", "2:8", "silos must be a map", "add one" },
    { V "silos: {a: }\nlink:\n", "3:1", "unknown key \"link\" in the file", "did you mean \"links\"?" },
    { V "silos: {a: }\nsecurity: 1\n", "3:1", "unknown key \"security\"", "version, silos, links, policy" },
    /* silos */
    { V "silos:\n  a b:\n", "3:3", "silo \"a b\" has characters", "letters and digits" },
    { V "silos:\n  -a:\n", "3:3", "does not begin with a letter", "letters and digits" },
    { V "silos:\n  \"\":\n", "3:3", "is empty", "letters and digits" },
    { V "silos:\n  a: 7\n", "3:6", "silo \"a\" must be a map", "gateways: ..." },
    { V "silos:\n  a:\n    egres: 300M\n", "4:5", "unknown key \"egres\" in silo \"a\"",
      "did you mean \"egress\"?" },
    { V "silos:\n  a:\n    colour: red\n", "4:5", "unknown key \"colour\" in silo \"a\"; it takes gateways",
      "ranks" },
    { V "silos:\n  a:\n    egress: 300\n", "4:13", "egress = \"300\" has no unit", "300M" },
    { V "silos:\n  a:\n    egress: 300MB/s\n", "4:13", "in bytes", "300M" },
    { V "silos:\n  a:\n    egress: 300Mb\n", "4:13", "unknown unit", "300M" },
    { V "silos:\n  a:\n    egress: -1M\n", "4:13", "is not a number", "300M" },
    { V "silos:\n  a:\n    ingress: 99999999999T\n", "4:14", "too large", "300M" },
    { V "silos:\n  a:\n    ingress: 0M\n", "4:14", "lets nothing pass", "300M" },
    { V "silos:\n  a:\n    ingress: [1M]\n", "4:14", "ingress must be one value", "300M" },
    { V "silos:\n  a:\n    relay: maybe\n", "4:12", "relay = \"maybe\"", "yes or no" },
    { V "silos:\n  a:\n    dial_in: {x: 1}\n", "4:14", "dial_in must be one value", "yes or no" },
    /* hosts, ranks */
    { V "silos:\n  a:\n    hosts: n1\n", "4:12", "hosts must be a list", "[node1, node2]" },
    { V "silos:\n  a:\n    hosts: [n1, n/2]\n", "4:17", "\"n/2\" has characters", "hostname" },
    { V "silos:\n  a:\n    hosts: [n1, [n2]]\n", "4:17", "a list or map must be one value", "hostname" },
    { V "silos:\n  a:\n    hosts: [n1, N1]\n", "4:17", "host \"N1\" is there twice, first in line 4",
      "remove" },
    { V "silos:\n  a:\n    hosts: [n1]\n  b:\n    hosts: [n1]\n", "6:13",
      "in silo \"b\" and, in line 4, in silo \"a\"", "one silo" },
    { V "silos:\n  a:\n    hosts: [n1]\n  b:\n    gateways:\n      n1: h:1\n", "7:7", "host \"n1\"",
      "one silo" },
    { V "silos:\n  a:\n    ranks: 3-1\n", "4:12", "ends before it begins", "0-3,8" },
    { V "silos:\n  a:\n    ranks: 0-3,3\n", "4:12", "does not rise", "0-3,8" },
    { V "silos:\n  a:\n    ranks: all\n", "4:12", "ranks \"all\" is no list", "0-3,8" },
    { V "silos:\n  a:\n    ranks: 1;2\n", "4:12", "is no list", "0-3,8" },
    { V "silos:\n  a:\n    ranks: 99999999\n", "4:12", "is no list", "0-3,8" },
    { V "silos:\n  a:\n    ranks: [1, {2: 3}]\n", "4:16", "is no list", "0-3,8" },
    { V "silos:\n  a: {ranks: 0-3}\n  b:\n    ranks: 2-5\n", "5:12",
      "rank 2 is in silo \"b\" and, in line 3, in silo \"a\"", "one silo" },
    { V "silos:\n  a: {ranks: 0-3}\n  b:\n    ranks: 3-5\n", "5:12", "rank 3 is in silo \"b\"", "one silo" },
    { V "silos:\n  b: {ranks: 2-5}\n  a: {ranks: 0-3}\n", "4:14", "rank 2 is in silo \"a\"", "one silo" },
    /* gateways */
    { V "silos:\n  a:\n    gateways: g1\n", "4:15", "gateways must be a map", "7100" },
    { V "silos:\n  a:\n    gateways:\n      g 1: h\n", "5:7", "gateway = \"g 1\" has characters",
      "hostname" },
    { V "silos:\n  a:\n    gateways:\n      g: {adresses: h}\n", "5:11",
      "unknown key \"adresses\" in gateway \"g\"", "addresses" },
    { V "silos:\n  a:\n    gateways:\n      g: [h:1, {h: 2}]\n", "5:16", "an address must be one value",
      "quotes" },
    { V "silos:\n  a:\n    gateways:\n      g: h:0\n", "5:10", "\"h:0\" has a port outside",
      "198.51.100.7:7100" },
    { V "silos:\n  a:\n    gateways:\n      g: h:65536\n", "5:10", "port outside", "7100" },
    { V "silos:\n  a:\n    gateways:\n      g: h:http\n", "5:10", "port that is no number", "7100" },
    { V "silos:\n  a:\n    gateways:\n      g: ':1'\n", "5:10", "has no host", "7100" },
    { V "silos:\n  a:\n    gateways:\n      g: ['']\n", "5:11", "has no host", "7100" },
    { V "silos:\n  a:\n    gateways:\n      g: 1.2.3.400:1\n", "5:10", "malformed IPv4", "7100" },
    { V "silos:\n  a:\n    gateways:\n      g: 1.2.3:1\n", "5:10", "malformed IPv4", "7100" },
    { V "silos:\n  a:\n    gateways:\n      g: '[1:2]:3'\n", "5:10", "malformed IPv6", "7100" },
    { V "silos:\n  a:\n    gateways:\n      g: '[::1'\n", "5:10", "no ]", "7100" },
    { V "silos:\n  a:\n    gateways:\n      g: '[::1]x'\n", "5:10", "something else", "7100" },
    { V "silos:\n  a:\n    gateways:\n      g: '[h]:1'\n", "5:10", "malformed IPv6", "7100" },
    { V "silos:\n  a:\n    gateways:\n      g: user@h:1\n", "5:10", "has characters", "7100" },
    { V "silos:\n  a:\n    gateways:\n      g: {device: a/b}\n", "5:19", "device \"a/b\"", "--devices" },
    { V "silos:\n  a:\n    gateways:\n      g: h:1\n      i:\n        - h2:1\n        - H:1\n", "8:11",
      "address \"H:1\" is there twice, first in line 5", "remove" },
    { V "silos:\n  a:\n    gateways:\n      g: [h:1, h:2]\n      i: h\n", "6:10",
      "\"h\" is there twice, first in line 5", "give both a port" },
    { V "silos:\n  a:\n    gateways:\n      g: ['[2001:db8::1]:5', '[2001:db8:0::1]:5']\n", "5:30",
      "is there twice", "remove" },
    { V "silos:\n  a:\n    gateways: {g: h:1}\n  b:\n    relay: yes\n", "5:3", "silo \"b\" has no gateway",
      "add gateways" },
    { V "silos:\n  a:\n    gateways: {g: h:1}\n  b:\n    gateways:\n      i:\n", "7:7",
      "gateway \"i\" has no address; add one", "dial_in: no of silo \"b\"" },
    /* links */
    { AB "links: fast\n", "5:8", "links must be a list", "between" },
    { AB "links:\n  - fast\n", "6:5", "a link must be a map", "between" },
    { AB "links:\n  -\n", "6:4", "a link without its silos", "between" },
    { AB "links:\n  - {rate: 1M}\n", "6:5", "a link without its silos", "between" },
    { AB "links:\n  - {from: a, rate: 1M}\n", "6:5", "a link without its silos", "to: b" },
    { AB "links:\n  - {between: [a, b], from: a}\n", "6:23", "between means both", "one of the two" },
    { AB "links:\n  - {between: [a, b], to: a}\n", "6:23", "between means both", "one of the two" },
    { AB "links:\n  - {between: [a, b]}\n", "6:5", "nothing is said", "add rate" },
    { AB "links:\n  - {between: a, rate: 1M}\n", "6:15", "between = \"a\" must be two", "[north, south]" },
    { AB "links:\n  - {between: [a, b, a], rate: 1M}\n", "6:15", "between must be two", "[north, south]" },
    { AB "links:\n  - {between: [a, x], rate: 1M}\n", "6:19", "no silo \"x\"", "the silos are a, b" },
    { AB "links:\n  - {between: [a, a], rate: 1M}\n", "6:19", "no link to itself", "another" },
    { AB "links:\n  - {from: a, to: a, rate: 1M}\n", "6:19", "no link to itself", "another" },
    { AB "links:\n  - {from: a, to: [b], rate: 1M}\n", "6:19", "must be one value", "name of a silo" },
    { AB "links:\n  - {from: a, to: b, rtt: 4ms}\n", "6:22", "rtt is of both", "between: [a, b]" },
    { AB "links:\n  - {from: a, to: b, talk: no}\n", "6:22", "talk is of both", "between: [a, b]" },
    { AB "links:\n  - {from: a, to: b, dial: both}\n", "6:22", "dial is of both", "between: [a, b]" },
    { AB "links:\n  - {between: [a, b], speed: 1M}\n", "6:23", "unknown key \"speed\" in a link", "rate" },
    { AB "links:\n  - {between: [a, b], rtt: 40}\n", "6:28", "rtt = \"40\" has no unit", "40ms" },
    { AB "links:\n  - {between: [a, b], rtt: 0ms}\n", "6:28", "faster than light", "40ms" },
    { AB "links:\n  - {between: [a, b], loss: 0.1}\n", "6:29", "loss = \"0.1\" has no unit", "0.1%" },
    { AB "links:\n  - {between: [a, b], loss: 101%}\n", "6:29", "more than all", "0.1%" },
    { AB "links:\n  - {between: [a, b], loss: 100%}\n", "6:29", "lets nothing pass", "0.1%" },
    { AB "links:\n  - {between: [a, b], loss: 0.00001%}\n", "6:29", "finer", "0.1%" },
    { AB "links:\n  - {between: [a, b], dial: a}\n", "6:29", "dial = \"a\"", "a->b, b->a or both" },
    { AB "links:\n  - {between: [a, b], dial: a->a}\n", "6:29", "does not say", "a->b, b->a or both" },
    { AB "links:\n  - {between: [a, b], dial: [a]}\n", "6:29", "does not say", "a->b, b->a or both" },
    { AB "links:\n  - {between: [a, b], talk: perhaps}\n", "6:29", "talk = \"perhaps\"", "yes or no" },
    { AB "links:\n  - {between: [a, b], rate: 1M}\n  - {from: b, to: a, rate: 1M}\n", "7:22",
      "rate from \"b\" to \"a\" is said twice, first in line 6", "remove" },
    { AB "links:\n  - {between: [a, b], rtt: 1ms}\n  - {between: [b, a], rtt: 1ms}\n", "7:23",
      "is said twice", "remove" },
    { ABC "links:\n  - {between: [a, b], talk: no, rate: 1M}\n", "7:33", "may not talk (line 7)", "remove" },
    { ABC "links:\n  - {between: [a, b], talk: no}\n  - {from: b, to: a, loss: 1%}\n", "8:22",
      "may not talk (line 7)", "remove" },
    { V "silos:\n  a: {gateways: {a1: h:1}}\n  b: {gateways: {b1: }, dial_in: no}\nlinks:\n"
        "  - {between: [a, b], dial: both}\n",
      "6:29", "takes none (dial_in: no)", "b->a" },
    /* policy, routes */
    { AB "policy: [1]\n", "5:9", "policy must be a map", "relay" },
    { AB "policy: {realy: no}\n", "5:10", "unknown key \"realy\"", "\"relay\"" },
    { AB "policy: {relay: x}\n", "5:17", "relay = \"x\"", "yes or no" },
    { AB "policy: {avoid: x}\n", "5:17", "avoid must be a list", "through" },
    { AB "policy: {avoid: [x]}\n", "5:18", "a row of avoid must be a map", "between" },
    { AB "policy: {avoid: [{between: [a, b]}]}\n", "5:18", "needs both", "through: [c]" },
    { AB "policy: {avoid: [{between: [a, b], thru: [a]}]}\n", "5:36", "unknown key \"thru\"", "through" },
    { AB "policy: {avoid: [{between: [a, b], through: b}]}\n", "5:45", "is an end of the traffic", "third" },
    { AB "policy: {avoid: [{between: [a, b], through: [z]}]}\n", "5:46", "no silo \"z\"", "a, b" },
    { AB "links:\n  - {between: [a, b], talk: no}\n", "6:23", "no way from \"a\" to \"b\": they may not talk",
      "relay" },
    { ABC "links:\n  - {between: [a, b], talk: no}\npolicy: {relay: no}\n", "7:23", "no way", "relay" },
    { ABC "links:\n  - {between: [a, b], talk: no}\npolicy: {avoid: [{between: [b, a], through: c}]}\n",
      "7:23", "no way", "avoid" },
    { ABC "links:\n  - {between: [a, b], talk: no}\n  - {between: [c, b], talk: no}\n", "7:23", "no way",
      "relay" },
    { V "silos:\n  a: {gateways: {a1: }, dial_in: no}\n  b: {gateways: {b1: }, dial_in: no}\n", "4:3",
      "neither can open", "dial_in" },
};

START_TEST(errors_are_told_with_line_and_column)
{
    char prefix[40];
    const int rc = parse(errors[_i].text);

    snprintf(prefix, sizeof prefix, "t.yaml:%s: ", errors[_i].at);
    ck_assert_msg(rc == FEDRDMA_ERR_INVALID, "returned %d (%s) for:\n%s", rc, story.text, errors[_i].text);
    ck_assert_msg(strncmp(story.text, prefix, strlen(prefix)) == 0, "not at %s: %s", prefix, story.text);
    ck_assert_msg(strstr(story.text, errors[_i].says) != NULL, "no \"%s\" in: %s", errors[_i].says,
                  story.text);
    ck_assert_msg(strstr(story.text, errors[_i].mend) != NULL, "no \"%s\" in: %s", errors[_i].mend,
                  story.text);
    ck_assert_ptr_null(silos);
}
END_TEST

/* ---- limits --------------------------------------------------------------------------------------- */

/* head, then `piece` (a format with one %d) so many times, then tail */
static int parse_many(const char *head, const char *piece, int times, const char *tail)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    fputs(head, out);
    for (int i = 0; i < times; i++)
        fprintf(out, piece, i, i);
    fputs(tail, out);
    fclose(out);
    memset(&story, 0, sizeof story);
    silos = NULL;
    const int rc = frd_silos_parse("t.yaml", text, bytes, &story, &silos);
    free(text);
    return rc;
}

static const struct {
    const char *head, *piece, *tail;
    int most;
    const char *says;
} limits[] = {
    { V "silos:\n", "  s%d: {gateways: {g: h%d:1}, relay: no}\n", "", -1, "1024 keys" },
    { V "silos:\n", "  s%d: {gateways: {g%d: }, dial_in: no}\n", "  hub: {gateways: {g: h:1}}\n", 255,
      "256 are allowed" },
    { V "silos: {a: {hosts: [h", ", h%d", "]}}\n", 4095, "4096 are allowed" },
    { V "silos: {a: {gateways: {", "g%d: , ", "}}}\n", 64, "64 are allowed" },
    { V "silos: {a: {gateways: {g: [", "h%d:1, ", "]}}}\n", 16, "16 are allowed" },
    { V "silos: {a: {ranks: [", "%d0, ", "]}}\n", 1024, "too many ranges" },
    { AB "policy: {avoid: [{between: [a, b], through: [", "c, ", "]}]}\n", -1, "no silo \"c\"" },
    { ABC "policy: {avoid: [{between: [a, b], through: [", "c, ", "]}]}\n", 4096, "more than 4096" },
    { V "silos: {a: }\nx: {", "k%d: 1, ", "}\n", -1, "1024 keys" },
    { V "silos: {a: }\nx: [", "1,", "]\n", -1, "262144 values" },
    { V "silos: {a: {hosts: [h", "0", "]}}\n", 252, "is too long" },
};

START_TEST(counts_are_bounded)
{
    const int most = limits[_i].most, much = strstr(limits[_i].says, "values") != NULL ? 300000 : 2000;

    if (most >= 0) {
        ck_assert_msg(parse_many(limits[_i].head, limits[_i].piece, most, limits[_i].tail) == FEDRDMA_OK,
                      "%s", story.text);
        forget();
    }
    ck_assert_int_eq(
        parse_many(limits[_i].head, limits[_i].piece, most >= 0 ? most + 1 : much, limits[_i].tail),
        FEDRDMA_ERR_INVALID);
    ck_assert_msg(strstr(story.text, limits[_i].says) != NULL, "no \"%s\" in: %s", limits[_i].says,
                  story.text);
}
END_TEST

START_TEST(long_texts_are_refused_and_cut_in_stories)
{
    char text[1000], path[600];

    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    snprintf(text, sizeof text, V "silos:\n  a: {hosts: [%0300d]}\n", 7);
    ck_assert_int_eq(frd_silos_parse(path, text, strlen(text), &story, &silos), FEDRDMA_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(story.text, "pp:3:15: a text of 300 bytes"));
    snprintf(text, sizeof text, V "silos:\n  a:\n    relay: %0200d\n", 7);
    ck_assert_int_eq(parse(text), FEDRDMA_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(story.text, "000...\" is neither"));
}
END_TEST

/* Each of 256 silos reaches the next only: all other pairs have to be searched. */
START_TEST(long_ways_are_found_in_time)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    fputs(V "silos:\n", out);
    for (int i = 0; i < FRD_SILOS_MAX; i++)
        fprintf(out, "  s%d: {gateways: {g%d: h%d:1}}\n", i, i, i);
    fputs("links:\n", out);
    for (int i = 0; i < FRD_SILOS_MAX; i++)
        for (int j = i + 2; j < FRD_SILOS_MAX; j++)
            fprintf(out, "- {between: [s%d,s%d], talk: no}\n", i, j);
    fclose(out);
    ck_assert_msg(frd_silos_parse("t.yaml", text, bytes, &story, &silos) == FEDRDMA_OK, "%s", story.text);
    ck_assert(frd_silos_reachable(silos, FRD_SILOS_MAX - 1, 0)); /* the other way round, too */
    forget();
    free(text);
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
        strstr(text, "\nA1       a        -           192.0.2.1:7000, [2001:db8::1]:7001, gw.a.example\n"));
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
    TCase *says = tcase_create("says"), *bad = tcase_create("errors"), *bounds = tcase_create("limits");
    TCase *again = tcase_create("again"), *places = tcase_create("places");

    tcase_add_test(says, a_whole_file_is_read);
    tcase_add_test(says, links_go_into_the_matrix);
    tcase_add_test(says, caps_and_relays_are_answered);
    tcase_add_test(says, detours_are_those_of_the_pair);
    tcase_add_test(says, ways_lead_through_several_relays);
    tcase_add_test(says, one_silo_needs_nothing);
    tcase_add_test(says, a_table_is_printed);
    tcase_add_loop_test(bad, errors_are_told_with_line_and_column, 0, sizeof errors / sizeof errors[0]);
    tcase_add_loop_test(bounds, counts_are_bounded, 0, sizeof limits / sizeof limits[0]);
    tcase_add_test(bounds, long_texts_are_refused_and_cut_in_stories);
    tcase_add_test(bounds, long_ways_are_found_in_time);
    tcase_add_test(says, files_are_read_and_refused);
    tcase_add_loop_test(says, examples_are_good, 0, 3);
    tcase_add_test(again, equal_files_have_one_hash);
    tcase_add_loop_test(again, generated_files_come_back_the_same, 0, 300);
    tcase_add_loop_test(places, ranks_find_their_silo, 0, sizeof placed / sizeof placed[0]);
    tcase_add_test(places, the_only_silo_is_everybodys);
    suite_add_tcase(suite, says);
    suite_add_tcase(suite, bad);
    suite_add_tcase(suite, bounds);
    suite_add_tcase(suite, again);
    suite_add_tcase(suite, places);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
