/* SPDX-License-Identifier: BSD-3-Clause
 * test_verbs.c - the listing of verbs ports on devices made up here: this program's ibv_* functions take the
 * place of libibverbs'. */
#include <check.h>
#include <infiniband/verbs.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "topo/topo.h"

/* ---- a libibverbs of three devices ---------------------------------------------------------------- */

static struct ibv_device one = { .name = "one", .ibdev_path = "/nonexistent" };
static struct ibv_device two = { .name = "two", .ibdev_path = "/nonexistent" };
static struct ibv_device shy = { .name = "shy", .ibdev_path = "/nonexistent" };
static struct ibv_device *listed[] = { &one, &shy, &two, NULL };
static int ndevices, opened, lists;

struct ibv_device **ibv_get_device_list(int *count)
{
    *count = ndevices > 0 ? ndevices : 0;
    if (ndevices < 0) /* no RDMA in the kernel */
        return NULL;
    lists++;
    return listed;
}

void ibv_free_device_list(struct ibv_device **list)
{
    ck_assert_ptr_eq(list, listed);
    lists--;
}

const char *ibv_get_device_name(struct ibv_device *device)
{
    return device->name;
}

struct ibv_context *ibv_open_device(struct ibv_device *device)
{
    if (device == &shy)
        return NULL;
    struct ibv_context *context = calloc(1, sizeof *context);
    ck_assert_ptr_nonnull(context);
    context->device = device;
    opened++;
    return context;
}

int ibv_close_device(struct ibv_context *context)
{
    free(context);
    opened--;
    return 0;
}

int ibv_query_device(struct ibv_context *context, struct ibv_device_attr *attr)
{
    memset(attr, 0, sizeof *attr);
    attr->phys_port_cnt = context->device == &two ? 6 : 1;
    return 0;
}

/* Port 1 is of 4 lanes EDR, port 2 cannot be asked, the others are down. */
#undef ibv_query_port
int ibv_query_port(struct ibv_context *context, uint8_t port, struct _compat_ibv_port_attr *compat)
{
    struct ibv_port_attr *attr = (struct ibv_port_attr *)compat;

    if (port == 2)
        return EINVAL;
    attr->state = port == 1 ? IBV_PORT_ACTIVE : IBV_PORT_DOWN;
    attr->link_layer = context->device == &two ? IBV_LINK_LAYER_INFINIBAND : IBV_LINK_LAYER_ETHERNET;
    attr->active_speed = port == 1 ? 32 : 77;
    attr->active_width = 2;
    attr->gid_tbl_len = port == 1 ? 16 : 0;
    return 0;
}

int ibv_query_gid(struct ibv_context *context, uint8_t port, int index, union ibv_gid *gid)
{
    (void)context;
    (void)port;
    memset(gid, 0, sizeof *gid);
    gid->raw[15] = index < 3;
    return index == 1 ? EINVAL : 0;
}

/* ---- tests ---------------------------------------------------------------------------------------- */

static frd_topo_port *ports;
static size_t count;

static void find(int devices)
{
    ndevices = devices;
    ports = (frd_topo_port *)&ndevices;
    ck_assert_int_eq(frd_topo_ports_find(NULL, &ports, &count), FEDRDMA_OK);
    ck_assert_int_eq(opened, 0);
    ck_assert_int_eq(lists, 0);
}

START_TEST(no_devices)
{
    find(_i); /* -1: no list; 0: an empty one */
    ck_assert_ptr_null(ports);
    ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(ports_of_devices)
{
    find(3);
    ck_assert_uint_eq(count, 7);
    ck_assert_str_eq(ports[0].device, "one");
    ck_assert_int_eq(ports[0].port, 1);
    ck_assert_str_eq(ports[0].state, "active");
    ck_assert_str_eq(ports[0].link, "Ethernet");
    ck_assert_double_eq(ports[0].gbps, 100);
    ck_assert_int_eq(ports[0].gids, 2); /* one of three cannot be asked */
    ck_assert_int_eq(ports[0].numa, -1);
    ck_assert_str_eq(ports[1].device, "shy");
    ck_assert_int_eq(ports[1].port, 0);
    ck_assert_str_eq(ports[1].state, "unusable");
    ck_assert_str_eq(ports[2].device, "two");
    ck_assert_str_eq(ports[2].link, "InfiniBand");
    ck_assert_int_eq(ports[3].port, 3);
    ck_assert_str_eq(ports[3].state, "down");
    ck_assert_double_eq(ports[3].gbps, 0);
    ck_assert_int_eq(ports[3].gids, 0);
    ck_assert_int_eq(ports[6].port, 6);
    frd_free(ports);
}
END_TEST

START_TEST(near_by_their_names)
{
    const frd_topo_source here = { .synthetic = "numa:2 core:2 pu:1", .cpus = "0-1", .sys = "/nonexistent" };

    ndevices = 3;
    ck_assert(frd_topo_is_near_card(&here, "one") && frd_topo_is_near_card(&here, "two:3"));
    ck_assert(!frd_topo_is_near_card(&here, "on") && !frd_topo_is_near_card(&here, "one0:1"));
    ck_assert(!frd_topo_is_near_card(&here, ""));
    ck_assert_int_eq(lists, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verbs");
    TCase *tcase = tcase_create("ports");

    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, no_devices, -1, 1);
    tcase_add_test(tcase, ports_of_devices);
    tcase_add_test(tcase, near_by_their_names);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
