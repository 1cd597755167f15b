#pragma once
/* What the tests of this folder share. For test programs only. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "io/fd_stream.h"
#include "io/stream.h"
#include "io/test_main.h"

/* Two connected Unix sockets as streams. */
static inline void socket_streams(struct loop *loop, struct stream *ret[2])
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    ret[0] = fd_stream_new(loop, fd[0]);
    ret[1] = fd_stream_new(loop, fd[1]);
}

/* The byte at `offset` of the test pattern: no period that divides a buffer's length. */
static inline unsigned char pattern(uint64_t offset)
{
    return (unsigned char)(offset * 131 + offset / 251);
}

/*
 * One end of a conversation: sends `to_send` pattern bytes and then shuts down; checks what it
 * receives, until the end.
 */
struct talker {
    struct stream *s;
    uint64_t to_send;
    uint64_t sent;
    uint64_t received;
    bool shut;
    bool stalled; /* does not read */
    size_t chunk; /* most bytes a call; 0: 16 KiB */
    bool ended;   /* the other side has ended */
    int failure;  /* of recv or send */
    int n_ready;
};

static inline void talker_wants(struct talker *t)
{
    bool read = !t->stalled && !t->ended && !t->failure;
    bool write = !t->shut && !t->failure;
    stream_want(t->s, (read ? STREAM_READ : 0) | (write ? STREAM_WRITE : 0));
}

static inline void talker_send(struct talker *t)
{
    unsigned char data[16384];
    size_t chunk = t->chunk ? t->chunk : sizeof(data);
    while (t->sent < t->to_send) {
        size_t n = t->to_send - t->sent < chunk ? (size_t)(t->to_send - t->sent) : chunk;
        for (size_t i = 0; i < n; i++)
            data[i] = pattern(t->sent + i);
        ssize_t done = stream_send_bytes(t->s, data, n);
        if (done == -EAGAIN)
            return;
        if (done < 0) {
            t->failure = (int)done;
            return;
        }
        t->sent += (uint64_t)done;
    }
    if (!t->shut) {
        t->shut = true;
        assert_int_equal(stream_shutdown(t->s), 0);
    }
}

static inline void talker_receive(struct talker *t)
{
    unsigned char data[16384];
    ssize_t n = stream_recv(t->s, data, t->chunk ? t->chunk : sizeof(data));
    if (n == -EAGAIN)
        return;
    if (n == 0)
        t->ended = true;
    else if (n < 0)
        t->failure = (int)n;
    for (ssize_t i = 0; i < n; i++)
        if (data[i] != pattern(t->received++))
            fail_msg("byte %llu is wrong", (unsigned long long)(t->received - 1));
}

static inline void talker_ready(struct stream *s, unsigned events, void *ud)
{
    struct talker *t = ud;
    t->n_ready++;
    if (events & STREAM_READ)
        talker_receive(t);
    if (events & STREAM_WRITE)
        talker_send(t);
    talker_wants(t);
}

static inline void talker_start(struct talker *t)
{
    stream_set_ready(t->s, talker_ready, t);
    talker_wants(t);
}

static inline bool talker_done(const struct talker *t)
{
    return t->failure || (t->shut && t->ended);
}
