/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_worker.c - UCX's configuration, context, worker and listener.
 *
 * Options come from three places, the later winning: UCX's own variables (UCX_NET_DEVICES and so on: they are
 * the site's word about the machine), the defaults below, and FEDRDMA_UCX_* (FEDRDMA_UCX_TLS=rc,ud). So a
 * UCX_TLS meant for an MPI beside us has no effect here, nor have ours on the MPI. (UCX 1.13 takes the names of a
 * transport's options without the transport: TX_SEG_SIZE for UCX_TCP_TX_SEG_SIZE.) */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "net/ucx_parts.h"

static const struct {
    const char *variable, *name, *value;
} defaults[] = {
    /* Inside a node we have our own transport. UCX's would also take two network namespaces of one host for
     * one node. */
    { "FEDRDMA_UCX_TLS", "TLS", "^sm,self" },
    /* A piece (ucx_send.c) is one segment: the sender's kernel reads it from the user's buffer, and the
     * receiver's copy into the user's buffer is the only one. With UCX's 8k and 64k it is half as fast. All
     * ranks must agree on these. */
    { "FEDRDMA_UCX_TCP_TX_SEG_SIZE", "TX_SEG_SIZE", "64k" },
    { "FEDRDMA_UCX_TCP_RX_SEG_SIZE", "RX_SEG_SIZE", "256k" },
    /* Progress must not block in connect(). UCX 1.13.1 also aborts the process when a peer dies between a
     * blocking connect() and the first send (tcp_ep.c:478). */
    { "FEDRDMA_UCX_TCP_CONN_NB", "CONN_NB", "y" },
    /* UCX's rendezvous over TCP without its emulated puts, which abort the process when a peer dies at the
     * wrong moment (tcp_ep.c:939). */
    { "FEDRDMA_UCX_TCP_PUT_ENABLE", "PUT_ENABLE", "n" },
};

/* With what UCX itself said last, and what verbs has to offer: of a port that is down, or lacks the GID that
 * UCX_IB_GID_INDEX names, UCX says only that it is not there. */
static int fail(frd_story *story, const char *what, ucs_status_t status)
{
    const int rc = status == UCS_ERR_NO_MEMORY ? FEDRDMA_ERR_NOMEM : FEDRDMA_ERR_NET;
    const char *const heard = frd_ucx_log_heard();
    char ports[160];

    return frd_fail(story, rc,
                    "UCX cannot %s: %s%s%s%s%s; `ucx_info -d` lists what it can use, FEDRDMA_UCX_TLS and "
                    "FEDRDMA_UCX_NET_DEVICES choose from it",
                    what, ucs_status_string(status), heard[0] != '\0' ? " (" : "", heard,
                    heard[0] != '\0' ? ")" : "",
                    status == UCS_ERR_NO_DEVICE ? frd_ucx_devices_ports(ports, sizeof ports) : "");
}

static int configure(ucp_config_t *config, bool only_tcp, frd_story *story)
{
    const char *const tls = frd_conf_getenv("FEDRDMA_UCX_TLS");

    /* Nobody is let in by rdmacm then: UCX 1.13 can't answer such a knock with TCP alone, keeps rdmacm's event, and
     * hangs in ucp_listener_destroy. Who knocks comes again by TCP. */
    if (only_tcp || (tls != NULL && strcmp(tls, "tcp") == 0)) {
        ucs_status_t status = ucp_config_modify(config, "SOCKADDR_TLS_PRIORITY", "tcp");

        if (status == UCS_OK)
            status = ucp_config_modify(config, "TLS", "tcp");
        if (status != UCS_OK)
            return fail(story, "take its options", status);
    }
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        const char *const named = frd_conf_getenv(defaults[i].variable);
        ucs_status_t status;

        if ((named != NULL && named[0] != '\0') || (only_tcp && strcmp(defaults[i].name, "TLS") == 0))
            continue;
        status = ucp_config_modify(config, defaults[i].name, defaults[i].value);
        if (status != UCS_OK)
            return fail(story, "take its options", status);
    }
    return FEDRDMA_OK;
}

static int open_context(frd_ucx *net, bool only_tcp, frd_story *story)
{
    const ucp_params_t params = {
        .field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_ESTIMATED_NUM_EPS | UCP_PARAM_FIELD_NAME,
        .features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP,
        .estimated_num_eps = (size_t)net->env.size,
        .name = "fedrdma",
    };
    ucp_config_t *config;
    ucs_status_t status = ucp_config_read("FEDRDMA", NULL, &config);
    int rc;

    if (status != UCS_OK)
        return fail(story, "read its options", status);
    rc = configure(config, only_tcp, story);
    if (rc == FEDRDMA_OK) {
        status = ucp_init(&params, config, &net->context);
        if (status != UCS_OK)
            rc = fail(story, "start", status);
    }
    ucp_config_release(config);
    return rc;
}

static int choose_large(frd_ucx *net, frd_story *story)
{
    const char *const word = net->env.conf->ucx_large;

    if (strcmp(word, "pieces") != 0 && strcmp(word, "rendezvous") != 0 && strcmp(word, "auto") != 0)
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "option ucx_large is \"%s\"; it can be auto, rendezvous or pieces", word);
    net->pieces = strcmp(word, "pieces") == 0 ||
                  (strcmp(word, "auto") == 0 && frd_ucx_devices_only_tcp(net->context));
    return FEDRDMA_OK;
}

static int open_worker(frd_ucx *net, frd_story *story)
{
    const ucp_worker_params_t params = {
        /* One thread at a time, but not always the same one (option threads=multiple). */
        .field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE | UCP_WORKER_PARAM_FIELD_CLIENT_ID,
        .thread_mode = UCS_THREAD_MODE_SERIALIZED,
        .client_id = (uint64_t)net->card.cookie << 32 | (uint32_t)net->env.rank,
    };
    const ucp_am_handler_param_t handler = {
        .field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB |
                      UCP_AM_HANDLER_PARAM_FIELD_ARG,
        .id = 0,
        .cb = frd_ucx_on_arrival,
        .arg = net,
    };
    ucs_status_t status = ucp_worker_create(net->context, &params, &net->worker);

    if (status != UCS_OK)
        return fail(story, "make a worker", status);
    status = ucp_worker_set_am_recv_handler(net->worker, &handler);
    return status == UCS_OK ? FEDRDMA_OK : fail(story, "receive active messages", status);
}

/* A card knows one port for all addresses of the host. */
static int open_listener(frd_ucx *net, frd_story *story)
{
    struct sockaddr_storage any = { .ss_family = net->card.place[0].family };
    const ucp_listener_params_t params = {
        .field_mask = UCP_LISTENER_PARAM_FIELD_SOCK_ADDR | UCP_LISTENER_PARAM_FIELD_CONN_HANDLER,
        .sockaddr = { .addr = (const struct sockaddr *)&any,
                      .addrlen = any.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                           : sizeof(struct sockaddr_in) },
        .conn_handler = { .cb = frd_ucx_on_knock, .arg = net },
    };
    ucp_listener_attr_t attr = { .field_mask = UCP_LISTENER_ATTR_FIELD_SOCKADDR };
    ucs_status_t status = ucp_listener_create(net->worker, &params, &net->listener);

    if (status == UCS_OK)
        status = ucp_listener_query(net->listener, &attr);
    if (status != UCS_OK)
        return fail(story, "listen for connections", status);
    net->card.port = ntohs(attr.sockaddr.ss_family == AF_INET6
                               ? ((const struct sockaddr_in6 *)(const void *)&attr.sockaddr)->sin6_port
                               : ((const struct sockaddr_in *)(const void *)&attr.sockaddr)->sin_port);
    return FEDRDMA_OK;
}

static int make_card(frd_ucx *net, frd_story *story)
{
    net->card.magic = FRD_UCX_MAGIC;
    net->card.window_bytes = net->env.conf->eager_credit;
    if (getrandom(&net->card.cookie, sizeof(net->card.cookie), GRND_NONBLOCK) !=
        (ssize_t)sizeof(net->card.cookie))
        net->card.cookie = (uint32_t)frd_now_ns(); /* it keeps strays away, not attackers */
    return frd_ucx_place_all(net->env.conf, &net->card, story);
}

int frd_ucx_worker_open(frd_ucx *net, frd_story *story)
{
    sigset_t all, before;
    bool without = false;
    int rc;

    /* UCX's asynchronous thread inherits the mask: the application's signals are not its business. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = open_context(net, false, story);
    if (rc == FEDRDMA_OK)
        rc = frd_ucx_devices_check(net, &without, story);
    if (rc == FEDRDMA_OK && without) {
        ucp_cleanup(net->context);
        net->context = NULL;
        rc = open_context(net, true, story);
    }
    if (rc == FEDRDMA_OK)
        rc = choose_large(net, story);
    if (rc == FEDRDMA_OK)
        rc = make_card(net, story);
    if (rc == FEDRDMA_OK)
        rc = open_worker(net, story);
    if (rc == FEDRDMA_OK)
        rc = open_listener(net, story);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

void frd_ucx_worker_close(frd_ucx *net)
{
    if (net->listener != NULL)
        ucp_listener_destroy(net->listener);
    if (net->worker != NULL)
        ucp_worker_destroy(net->worker);
    if (net->context != NULL)
        ucp_cleanup(net->context);
    net->listener = NULL;
    net->worker = NULL;
    net->context = NULL;
}
