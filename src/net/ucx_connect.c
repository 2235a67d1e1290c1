/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_connect.c - the endpoints of a peer.
 *
 * Whoever has something to send connects, to the listener of the other; what is to be sent waits until that is up
 * (our HELLO is through). A rank that is connected to sends on that connection. When both connect at once there
 * are two connections; each side sends on the one that was up first there, for good, which keeps what it sends in
 * order. An attempt that fails before it was up goes on with the peer's next address, unless the peer has
 * connected meanwhile. After that the end of either connection is the end of the peer.
 *
 * Why not by UCX's worker addresses, which need no listener and half the sockets: over TCP, UCX 1.13.1 aborts the
 * process (a failed assertion) when a peer dies while a connection of that kind is being made: here, in 23 of
 * 300 runs with a peer killed within 6 ms of connecting, and 44 of 400 with a busy survivor. With listeners, and
 * the options of ucx_worker.c, one in several thousand is left. */
#include "net/ucx_parts.h"

/* UCX is on the stack. */
static void on_error(void *arg, ucp_ep_h ep, ucs_status_t status)
{
    frd_ucx_peer *const peer = arg;

    if (ep == peer->own && !peer->own_up)
        frd_ucx_on_hello(peer, status);
    else if (ep == peer->own || ep == peer->accepted)
        frd_ucx_break(peer, ucs_status_string(status));
}

static void close_endpoint(ucp_ep_h *ep, bool force, ucs_status_ptr_t *request)
{
    const ucp_request_param_t params = {
        .op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS,
        .flags = force ? UCP_EP_CLOSE_FLAG_FORCE : 0,
    };

    if (*ep == NULL)
        return;
    *request = ucp_ep_close_nbx(*ep, &params);
    if (!UCS_PTR_IS_PTR(*request))
        *request = NULL;
    *ep = NULL;
}

/* At once: UCX gives back all buffers, in its next calls of progress. */
static void cut(ucp_ep_h *ep)
{
    ucs_status_ptr_t request = NULL;

    close_endpoint(ep, true, &request);
    if (request != NULL)
        ucp_request_free(request); /* it ends by itself */
}

void frd_ucx_disconnect(frd_ucx_peer *peer)
{
    peer->ep = NULL;
    cut(&peer->own);
    cut(&peer->accepted);
}

void frd_ucx_part(frd_ucx_peer *peer)
{
    peer->ep = NULL;
    close_endpoint(&peer->own, false, &peer->parting[0]);
    close_endpoint(&peer->accepted, false, &peer->parting[1]);
}

bool frd_ucx_parted(frd_ucx_peer *peer, bool give_up)
{
    bool all = true;

    for (size_t i = 0; i < 2; i++) {
        if (peer->parting[i] == NULL)
            continue;
        if (give_up || ucp_request_check_status(peer->parting[i]) != UCS_INPROGRESS) {
            ucp_request_free(peer->parting[i]);
            peer->parting[i] = NULL;
        } else {
            all = false;
        }
    }
    return all;
}

/* ---- being connected to ---- */

void frd_ucx_on_knock(ucp_conn_request_h request, void *arg)
{
    frd_ucx *const net = arg;
    ucp_conn_request_attr_t attr = { .field_mask = UCP_CONN_REQUEST_ATTR_FIELD_CLIENT_ID };
    frd_ucx_peer *peer = NULL;

    if (ucp_conn_request_query(request, &attr) == UCS_OK &&
        (uint32_t)attr.client_id < (uint32_t)net->env.size)
        peer = net->peer[(uint32_t)attr.client_id];
    if (peer == NULL || peer->card.cookie != attr.client_id >> 32 || peer->lost || peer->broken ||
        peer->knock != NULL || peer->accepted != NULL || net->closing) {
        net->env.stat->net_dropped++;
        ucp_listener_reject(net->listener, request);
        return;
    }
    peer->knock = request;
    frd_ucx_kick(peer);
}

static void let_in(frd_ucx_peer *peer)
{
    const ucp_ep_params_t params = {
        .field_mask = UCP_EP_PARAM_FIELD_CONN_REQUEST | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER,
        .conn_request = peer->knock,
        .err_mode = UCP_ERR_HANDLING_MODE_PEER,
        .err_handler = { .cb = on_error, .arg = peer },
    };

    peer->knock = NULL;
    if (ucp_ep_create(peer->net->worker, &params, &peer->accepted) != UCS_OK)
        peer->accepted = NULL; /* the peer's attempt fails too */
    else if (peer->ep == NULL)
        peer->ep = peer->accepted;
}

/* ---- connecting ---- */

void frd_ucx_on_hello(frd_ucx_peer *peer, ucs_status_t status)
{
    if (peer->own_up || peer->own_failed)
        return;
    if (status == UCS_OK) {
        peer->own_up = true;
        if (peer->ep == NULL)
            peer->ep = peer->own;
    } else {
        peer->own_failed = true;
        peer->why = ucs_status_string(status);
    }
    frd_ucx_kick(peer);
}

/* Starts with the peer's next address. False: there are no more. */
static bool try_next(frd_ucx_peer *peer)
{
    frd_ucx *const net = peer->net;
    const bool bound = net->env.conf->interface[0] != '\0';
    frd_ucx_way way;
    ucp_ep_params_t params = {
        .field_mask = UCP_EP_PARAM_FIELD_SOCK_ADDR | UCP_EP_PARAM_FIELD_FLAGS |
                      UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER,
        .flags = UCP_EP_PARAMS_FLAGS_CLIENT_SERVER | UCP_EP_PARAMS_FLAGS_SEND_CLIENT_ID,
        .sockaddr.addr = (const struct sockaddr *)&way.to,
        .local_sockaddr.addr = (const struct sockaddr *)&way.from,
        .err_mode = UCP_ERR_HANDLING_MODE_PEER,
        .err_handler = { .cb = on_error, .arg = peer },
    };
    frd_ucx_op *hello;
    ucs_status_t status;

    if (!frd_ucx_place_choose(&net->card, bound, &peer->card, peer->tried, &way))
        return false;
    params.sockaddr.addrlen = way.to_bytes;
    params.local_sockaddr.addrlen = way.from_bytes;
    if (way.from_bytes > 0)
        params.field_mask |= UCP_EP_PARAM_FIELD_LOCAL_SOCK_ADDR;
    peer->tried++;
    peer->own_failed = false;
    status = ucp_ep_create(net->worker, &params, &peer->own);
    if (status != UCS_OK) {
        peer->own = NULL;
        frd_ucx_on_hello(peer, status);
        return true;
    }
    hello = frd_ucx_op_new(peer, FRD_UCX_OP_HELLO);
    if (hello == NULL) {
        frd_ucx_break(peer, "out of memory");
        return true;
    }
    hello->wire.kind = FRD_UCX_HELLO;
    frd_ucx_submit(hello);
    return true;
}

void frd_ucx_connect(frd_ucx_peer *peer)
{
    if (peer->knock != NULL)
        let_in(peer);
    if (peer->own_failed && peer->own != NULL)
        cut(&peer->own);
    if (peer->ep != NULL || peer->own != NULL || peer->lost || peer->broken || peer->net->closing ||
        TAILQ_EMPTY(&peer->outbox))
        return;
    if (peer->left)
        frd_ucx_break(peer, "it has left the job");
    else if (!try_next(peer))
        frd_ucx_break(peer, peer->tried > 0 ? peer->why : "it has no address that could be reached from here");
}
