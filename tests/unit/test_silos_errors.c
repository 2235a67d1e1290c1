/* SPDX-License-Identifier: BSD-3-Clause
 * test_silos_errors.c - every error of a topology file with its line and column, and its limits. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

#define V "version: 1\n"
#define AB V "silos:\n  a: {gateways: {a1: 192.0.2.1:1}}\n  b: {gateways: {b1: 192.0.2.2:1}}\n"
#define ABC AB "  c: {gateways: {c1: 192.0.2.3:1}}\n"

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

int main(void)
{
    Suite *suite = suite_create("silos_errors");
    TCase *bad = tcase_create("errors"), *bounds = tcase_create("limits");

    tcase_add_loop_test(bad, errors_are_told_with_line_and_column, 0, sizeof errors / sizeof errors[0]);
    tcase_add_loop_test(bounds, counts_are_bounded, 0, sizeof limits / sizeof limits[0]);
    tcase_add_test(bounds, long_texts_are_refused_and_cut_in_stories);
    tcase_add_test(bounds, long_ways_are_found_in_time);
    suite_add_tcase(suite, bad);
    suite_add_tcase(suite, bounds);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
