/*
 * What two hops cost on this machine whatever is done in them: a relay of two processes with one
 * TCP connection between them, made beforehand. The near one accepts, the far one connects to the
 * target; no TLS, no rights, no flow control, no limits.
 *
 *     bench-bare PORT       relays to 127.0.0.1:PORT, prints its own port, runs until killed
 *
 * On the connection between them every piece of a forwarded one follows its number and its length;
 * length 0 is the end of that direction. What a turn of the loop reads goes out in one write.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

enum { CHANNELS = 4096, LISTENER = CHANNELS, LINK, EVENTS = 64 };
enum { PIECE_LEN = 16 * 1024, BUFFER_LEN = 256 * 1024 };

struct piece {
    uint32_t channel;
    uint32_t len;
};

struct channel {
    int fd; /* -1: not in use */
    bool in_ended;
    bool out_ended;
};

static struct channel channels[CHANNELS];
static uint32_t unused[CHANNELS];
static uint32_t n_unused;
static struct sockaddr_in target;
static int epoll, link_fd, listener = -1; /* in the far process there is no listener */
static unsigned char in[BUFFER_LEN], out[BUFFER_LEN];
static size_t in_len, out_len;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void no_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void watch(int fd, uint32_t number, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.u32 = number};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
        die("epoll_ctl");
}

static void write_all(int fd, const unsigned char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            poll(&room, 1, -1);
        } else if (n < 0) {
            return;
        } else {
            data += n;
            len -= (size_t)n;
        }
    }
}

static void flush(void)
{
    write_all(link_fd, out, out_len);
    out_len = 0;
}

static void close_if_over(uint32_t number)
{
    struct channel *c = &channels[number];
    if (!c->in_ended || !c->out_ended)
        return;
    close(c->fd);
    c->fd = -1;
    if (listener >= 0)
        unused[n_unused++] = number;
}

/* `to_end`: its end has come, which edge-triggered epoll does not say again. */
static void read_channel(uint32_t number, bool to_end)
{
    struct channel *c = &channels[number];
    ssize_t n = PIECE_LEN;
    while (c->fd >= 0 && !c->in_ended && (n == PIECE_LEN || to_end)) {
        if (out_len + sizeof(struct piece) + PIECE_LEN > BUFFER_LEN)
            flush();
        n = recv(c->fd, out + out_len + sizeof(struct piece), PIECE_LEN, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        struct piece p = {.channel = number, .len = n > 0 ? (uint32_t)n : 0};
        memcpy(out + out_len, &p, sizeof(p));
        out_len += sizeof(p) + p.len;
        c->in_ended = p.len == 0;
    }
    if (c->fd >= 0)
        close_if_over(number);
}

static void open_channel(uint32_t number, int fd)
{
    channels[number] = (struct channel){.fd = fd};
    watch(fd, number, EPOLLIN | EPOLLRDHUP | EPOLLET);
}

static void accept_all(void)
{
    int fd;
    while (n_unused > 0 && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        uint32_t number = unused[--n_unused];
        open_channel(number, fd);
        read_channel(number, false);
    }
}

static int connect_to(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
        die("connect");
    no_delay(fd);
    return fd;
}

static void take_piece(uint32_t number, const unsigned char *data, size_t len)
{
    struct channel *c = &channels[number];
    if (c->fd < 0 && listener < 0)
        open_channel(number, connect_to(&target));
    if (len > 0) {
        write_all(c->fd, data, len);
        return;
    }
    c->out_ended = true;
    if (!c->in_ended)
        shutdown(c->fd, SHUT_WR);
    close_if_over(number);
}

static void read_link(void)
{
    struct piece p;
    size_t off = 0;
    ssize_t n = recv(link_fd, in + in_len, BUFFER_LEN - in_len, MSG_DONTWAIT);
    if (n == 0)
        exit(0);
    in_len += n > 0 ? (size_t)n : 0;
    while (in_len - off >= sizeof(p)) {
        memcpy(&p, in + off, sizeof(p));
        if (in_len - off - sizeof(p) < p.len)
            break;
        take_piece(p.channel, in + off + sizeof(p), p.len);
        off += sizeof(p) + p.len;
    }
    memmove(in, in + off, in_len - off);
    in_len -= off;
}

static _Noreturn void run(void)
{
    struct epoll_event ready[EVENTS];
    epoll = epoll_create1(0);
    watch(link_fd, LINK, EPOLLIN);
    if (listener >= 0)
        watch(listener, LISTENER, EPOLLIN);
    for (;;) {
        int n = epoll_wait(epoll, ready, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.u32 == LISTENER)
                accept_all();
            else if (ready[i].data.u32 == LINK)
                read_link();
            else
                read_channel(ready[i].data.u32, ready[i].events & (EPOLLRDHUP | EPOLLHUP));
        }
        flush();
    }
}

static int listen_anywhere(struct sockaddr_in *ret)
{
    socklen_t len = sizeof(*ret);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    no_delay(fd);
    if (bind(fd, (struct sockaddr *)ret, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)ret, &len) < 0)
        die("listen");
    return fd;
}

int main(int argc, char **argv)
{
    struct sockaddr_in addr;
    char *end = argv[0];
    unsigned long port = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    if (*end || port == 0 || port > UINT16_MAX) {
        fputs("usage: bench-bare PORT\n", stderr);
        return 2;
    }
    target = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    for (uint32_t i = 0; i < CHANNELS; i++) {
        channels[i].fd = -1;
        unused[n_unused++] = i;
    }
    int waiting = listen_anywhere(&addr);
    link_fd = connect_to(&addr);
    int far = accept(waiting, NULL, NULL);
    no_delay(far);
    close(waiting);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        close(link_fd);
        link_fd = far;
        run();
    }
    close(far);
    listener = listen_anywhere(&addr);
    printf("%u\n", ntohs(addr.sin_port));
    fflush(stdout);
    run();
}
