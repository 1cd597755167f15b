#include "io/signal.h"

#include <uv.h>

#include "base/mem.h"
#include "io/loop.h"

struct signal_watch {
    uv_signal_t handle;
    signal_received_fn *received; /* NULL once freed */
    void *ud;
};

static void signal_came(uv_signal_t *handle, int signum)
{
    struct signal_watch *w = handle->data;
    if (w->received)
        w->received(signum, w->ud);
}

struct signal_watch *signal_watch_new(struct loop *loop, int signum, signal_received_fn *received,
                                      void *ud)
{
    struct signal_watch *w = new0(struct signal_watch);
    uv_signal_init(loop_uv(loop), &w->handle);
    w->handle.data = w;
    w->received = received;
    w->ud = ud;
    uv_signal_start(&w->handle, signal_came, signum);
    return w;
}

static void free_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct signal_watch *signal_watch_free(struct signal_watch *w)
{
    if (!w)
        return NULL;
    w->received = NULL;
    uv_close((uv_handle_t *)&w->handle, free_closed);
    return NULL;
}
