#pragma once
/* Local clients of a scene, and the far ends of its channels. For test programs only. */
#include "forward/test_help.h"

/* A port that is free on 127.0.0.1 and ::1 right now; *ret_fd (if given) keeps 127.0.0.1's. */
static inline uint16_t scene_free_port(int type, int *ret_fd)
{
    struct addr a;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    addr_from_ip("127.0.0.1", 0, &a);
    assert_int_equal(bind(fd, &a.sa, a.len), 0);
    assert_int_equal(addr_of_socket(fd, &a), 0);
    if (ret_fd) {
        if (type == SOCK_STREAM)
            assert_int_equal(listen(fd, 8), 0);
        *ret_fd = fd;
    } else {
        close(fd);
    }
    return addr_port(&a);
}

static inline int scene_connect(const char *ip, uint16_t port)
{
    struct addr a;
    int fd = socket(strchr(ip, ':') ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(addr_from_ip(ip, port, &a), 0);
    /* The kernel answers for a listener: connect does not wait for the loop. */
    assert_int_equal(connect(fd, &a.sa, a.len), 0);
    return fd;
}

/* Turns the loop until `n` bytes have come, the end, or an error. */
static inline ssize_t scene_read(struct scene *s, int fd, void *dst, size_t n)
{
    size_t used = 0;
    while (used < n) {
        ssize_t r = recv(fd, (char *)dst + used, n - used, MSG_DONTWAIT);
        if (r == 0)
            break;
        if (r < 0 && errno != EAGAIN)
            return -errno;
        if (r > 0)
            used += (size_t)r;
        else
            loop_turn(s->loop, false);
    }
    return (ssize_t)used;
}

static inline ssize_t scene_far_read(struct scene *s, struct stream *far, void *dst, size_t n)
{
    size_t used = 0;
    while (used < n) {
        ssize_t r = stream_recv(far, (char *)dst + used, n - used);
        if (r == 0)
            break;
        if (r < 0 && r != -EAGAIN)
            return r;
        if (r > 0)
            used += (size_t)r;
        else
            loop_turn(s->loop, false);
    }
    return (ssize_t)used;
}

static inline void scene_expect(struct scene *s, int fd, const char *text)
{
    char got[512] = "";
    assert_int_equal(scene_read(s, fd, got, strlen(text)), strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static inline void scene_far_expect(struct scene *s, struct stream *far, const char *text)
{
    char got[512] = "";
    assert_int_equal(scene_far_read(s, far, got, strlen(text)), strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static inline void scene_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}
