#include "io/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "io/fd_stream.h"
#include "io/loop_internal.h"
#include "io/stream.h"

enum { PIPE_LEN = 1 << 20, SPARE_MAX = 8 };

struct splice_pipe {
    struct list link;
    int in, out;
    size_t held;
};

/* Pipes that nobody uses at the moment. */
struct splice_pool {
    struct list pipes;
    size_t n;
};

static void pipe_close(struct splice_pipe *p)
{
    close(p->in);
    close(p->out);
    free(p);
}

void splice_pool_free(struct splice_pool *pool)
{
    struct splice_pipe *p, *next;
    if (!pool)
        return;
    list_for_each_safe (p, next, &pool->pipes, link)
        pipe_close(p);
    free(pool);
}

bool splice_possible(const struct stream *from, const struct stream *to)
{
    return !from->next && !to->next && stream_fd(from) >= 0 && stream_fd(to) >= 0;
}

static struct splice_pipe *pipe_new(void)
{
    int fd[2];
    if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
        return NULL;
    /* Beyond a user's share of pipe memory it stays as small as it is. */
    fcntl(fd[1], F_SETPIPE_SZ, PIPE_LEN);
    struct splice_pipe *p = new0(struct splice_pipe);
    p->out = fd[0];
    p->in = fd[1];
    return p;
}

struct splice_pipe *splice_pipe_take(struct loop *loop)
{
    struct splice_pool *pool = loop->pipes;
    struct splice_pipe *p = pool ? list_first(&pool->pipes, struct splice_pipe, link) : NULL;
    if (!p)
        return pipe_new();
    list_remove(&p->link);
    pool->n--;
    return p;
}

struct splice_pipe *splice_pipe_give(struct loop *loop, struct splice_pipe *p)
{
    if (!p)
        return NULL;
    if (!loop->pipes) {
        loop->pipes = new0(struct splice_pool);
        list_init(&loop->pipes->pipes);
    }
    if (p->held > 0 || loop->pipes->n == SPARE_MAX) {
        pipe_close(p);
        return NULL;
    }
    list_append(&loop->pipes->pipes, &p->link);
    loop->pipes->n++;
    return NULL;
}

size_t splice_pipe_held(const struct splice_pipe *p)
{
    return p->held;
}

static ssize_t move(int from, int to, size_t len)
{
    ssize_t n;
    do {
        n = splice(from, NULL, to, NULL, len, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t splice_receive(struct splice_pipe *p, struct stream *from)
{
    ssize_t n = move(stream_fd(from), p->in, PIPE_LEN);
    if (n > 0)
        p->held += (size_t)n;
    return n;
}

ssize_t splice_send(struct splice_pipe *p, struct stream *to)
{
    ssize_t n = move(p->out, stream_fd(to), p->held);
    if (n > 0)
        p->held -= (size_t)n;
    return n;
}
