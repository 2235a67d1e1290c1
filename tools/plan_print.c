/* SPDX-License-Identifier: BSD-3-Clause
 * plan_print.c - a plan as text, JSON and Graphviz's language. Names of silos need no quoting in any of them but
 * Graphviz's, as they are letters, digits, dots, underscores and hyphens. */
#include <inttypes.h>
#include <string.h>

#include "plan_print.h"

static const char *name(const plan_shown *p, int silo)
{
    return p->net->name[silo];
}

static double share(const plan_shown *p, int tree)
{
    return (double)p->forest->tree[tree].weight / p->forest->weights;
}

static bool has_way(const plan_shown *p, unsigned way)
{
    return (p->forest->ask.ways & way) != 0;
}

/* What the load is of, and its rate. */
static uint64_t limit_text(const plan_shown *p, char *text, size_t bytes)
{
    const frd_forest_cost *c = &p->forest->cost;

    text[0] = '\0';
    if (c->limit == FRD_FOREST_EGRESS) {
        snprintf(text, bytes, "egress of %s", name(p, c->from));
        return p->net->silo[c->from].egress_bps;
    }
    if (c->limit == FRD_FOREST_INGRESS) {
        snprintf(text, bytes, "ingress of %s", name(p, c->to));
        return p->net->silo[c->to].ingress_bps;
    }
    if (c->limit == FRD_FOREST_NOTHING)
        return 0;
    snprintf(text, bytes, "link from %s to %s", name(p, c->from), name(p, c->to));
    return p->net->link[c->from * p->net->silos + c->to].rate_bps;
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

static void time_text(double ns, char text[FRD_FACT_MAX])
{
    frd_rtt_text((uint64_t)(ns + 0.5), text);
}

static bool is_star(const plan_shown *p, int root, const short *hang)
{
    bool star = p->net->silos > 2;

    for (int v = 0; v < p->net->silos; v++)
        star = star && (v == root || hang[v] == root);
    return star;
}

/* "north(south, west(east))": who hangs from whom. */
static void print_below(const plan_shown *p, int silo, const short *hang, FILE *out)
{
    const char *before = "(";

    fputs(name(p, silo), out);
    for (int v = 0; v < p->net->silos; v++) {
        if (hang[v] != silo)
            continue;
        fputs(before, out);
        print_below(p, v, hang, out);
        before = ", ";
    }
    fputs(before[0] == ',' ? ")" : "", out);
}

static void print_tree(const plan_shown *p, int root, const short *hang, FILE *out)
{
    if (is_star(p, root, hang))
        fprintf(out, "%s(all others)", name(p, root));
    else
        print_below(p, root, hang, out);
}

static void print_trees(const plan_shown *p, FILE *out)
{
    const frd_forest *f = p->forest;
    char delay[FRD_FACT_MAX];

    fputs("\nShare    Longest     Root(and what hangs from it)\n", out);
    for (int t = 0; t < f->count; t++) {
        const frd_forest_tree *tree = &f->tree[t];
        const bool both = f->ask.ways == (FRD_FOREST_UP | FRD_FOREST_DOWN);
        const bool alike = both && memcmp(tree->up, tree->down, (size_t)f->silos * sizeof *tree->up) == 0;
        time_text(tree->delay_ns, delay);
        fprintf(out, "%6.2f%%  %-10s  ", 100 * share(p, t), delay);
        if (both && !alike)
            fputs("up   ", out);
        print_tree(p, tree->root, has_way(p, FRD_FOREST_UP) ? tree->up : tree->down, out);
        if (both && !alike) {
            fprintf(out, "\n%21sdown ", "");
            print_tree(p, tree->root, tree->down, out);
        }
        fputc('\n', out);
    }
}

void plan_print_text(const plan_shown *p, FILE *out)
{
    const frd_forest *f = p->forest;
    char time[FRD_FACT_MAX], load[FRD_FACT_MAX], delay[FRD_FACT_MAX], rate[FRD_FACT_MAX], limit[200];

    time_text(f->cost.time_ns, time);
    time_text(f->cost.load_ns, load);
    time_text(f->cost.delay_ns, delay);
    fprintf(out, "%s of %zu bytes among %d silo%s: %s\n", p->collective, f->ask.bytes, f->silos,
            f->silos == 1 ? "" : "s", frd_forest_form_name(f->form));
    fprintf(out, "  form       %s\n", frd_forest_form_text(f->form));
    fprintf(out, "  time       %s: load %s, longest way %s, fragments of %zu bytes\n", time, load, delay,
            f->fragment_bytes);
    frd_rate_text(limit_text(p, limit, sizeof limit), rate);
    if (limit[0] != '\0')
        fprintf(out, "  bound by   %s, %s\n", limit, rate);
    time_text(p->bound_ns, time);
    fprintf(out, "  at least   %s, whatever the plan\n", time);
    print_trees(p, out);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static void json_silo(const plan_shown *p, const char *key, int silo, FILE *out)
{
    if (silo < 0)
        fprintf(out, ", \"%s\": null", key);
    else
        fprintf(out, ", \"%s\": \"%s\"", key, name(p, silo));
}

/* A map from each silo but the root to its parent; null: the way is not used. */
static void json_hang(const plan_shown *p, const char *key, const short *hang, bool used, FILE *out)
{
    const char *before = "";

    fprintf(out, ", \"%s\": %s", key, used ? "{" : "null");
    for (int v = 0; used && v < p->net->silos; v++) {
        if (hang[v] < 0)
            continue;
        fprintf(out, "%s\"%s\": \"%s\"", before, name(p, v), name(p, hang[v]));
        before = ", ";
    }
    fputs(used ? "}" : "", out);
}

void plan_print_json(const plan_shown *p, FILE *out)
{
    static const char *const limits[] = { "nothing", "egress", "ingress", "link" };
    const frd_forest *f = p->forest;
    char limit[200];

    fprintf(out, "{\"collective\": \"%s\", \"bytes\": %zu, \"fragment_bytes\": %zu, \"silos\": [", p->collective,
            f->ask.bytes, f->fragment_bytes);
    for (int v = 0; v < f->silos; v++)
        fprintf(out, "%s\"%s\"", v > 0 ? ", " : "", name(p, v));
    fprintf(out, "],\n \"form\": \"%s\", \"time_ns\": %.0f, \"load_ns\": %.0f, ", frd_forest_form_name(f->form),
            f->cost.time_ns, f->cost.load_ns);
    fprintf(out, "\"delay_ns\": %.0f, \"bound_ns\": %.0f,\n", f->cost.delay_ns, p->bound_ns);
    fprintf(out, " \"limit\": {\"kind\": \"%s\"", limits[f->cost.limit]);
    json_silo(p, "from", f->cost.from, out);
    json_silo(p, "to", f->cost.to, out);
    fprintf(out, ", \"rate_bps\": %" PRIu64 "},\n \"weights\": %" PRIu32 ", \"trees\": [",
            limit_text(p, limit, sizeof limit), f->weights);
    for (int t = 0; t < f->count; t++) {
        const frd_forest_tree *tree = &f->tree[t];
        fprintf(out, "%s\n  {\"weight\": %" PRIu32 ", \"share\": %.6f, \"delay_ns\": %.0f", t > 0 ? "," : "",
                tree->weight, share(p, t), tree->delay_ns);
        json_silo(p, "root", tree->root, out);
        json_hang(p, "up", tree->up, has_way(p, FRD_FOREST_UP), out);
        json_hang(p, "down", tree->down, has_way(p, FRD_FOREST_DOWN), out);
        fputs("}", out);
    }
    fputs("\n ]}\n", out);
}

/* ---- Graphviz -------------------------------------------------------------------------------------------------- */

static void dot_edge(const plan_shown *p, int tree, int from, int to, bool up, FILE *out)
{
    const frd_forest_cost *c = &p->forest->cost;
    const bool limit = c->limit == FRD_FOREST_LINK && c->from == from && c->to == to;

    fprintf(out, "  \"%s\" -> \"%s\" [color=\"%.3f 0.9 0.75\", label=\"%.1f%%\"%s%s];\n", name(p, from), name(p, to),
            (double)tree / p->forest->count, 100 * share(p, tree), up ? "" : ", style=dashed",
            limit ? ", penwidth=4" : "");
}

void plan_print_dot(const plan_shown *p, FILE *out)
{
    const frd_forest *f = p->forest;
    const frd_forest_cost *c = &f->cost;
    char time[FRD_FACT_MAX], limit[200];

    time_text(c->time_ns, time);
    (void)limit_text(p, limit, sizeof limit);
    fprintf(out, "digraph plan {\n  label=\"%s of %zu bytes: %s, %s%s%s\\nsolid: up to the root; dashed: down from it; "
            "a colour for each tree\";\n  node [shape=box, style=rounded];\n", p->collective, f->ask.bytes,
            frd_forest_form_name(f->form), time, limit[0] != '\0' ? ", bound by " : "", limit);
    for (int v = 0; v < f->silos; v++) {
        uint64_t weight = 0;
        const bool bound = (c->limit == FRD_FOREST_EGRESS && c->from == v) ||
                           (c->limit == FRD_FOREST_INGRESS && c->to == v);
        for (int t = 0; t < f->count; t++)
            weight += f->tree[t].root == v ? f->tree[t].weight : 0;
        fprintf(out, "  \"%s\" [label=\"%s", name(p, v), name(p, v));
        if (weight > 0)
            fprintf(out, "\\nroot of %.1f%%", 100 * (double)weight / f->weights);
        fprintf(out, "\"%s];\n", bound ? ", penwidth=4" : "");
    }
    for (int t = 0; t < f->count; t++)
        for (int v = 0; v < f->silos; v++) {
            if (f->tree[t].up[v] >= 0)
                dot_edge(p, t, v, f->tree[t].up[v], true, out);
            if (f->tree[t].down[v] >= 0)
                dot_edge(p, t, f->tree[t].down[v], v, false, out);
        }
    fputs("}\n", out);
}
