/*
 * The load of bench/run: one server that sends, takes or echoes, and clients that time it.
 *
 *     bench-load serve                              prints its port on 127.0.0.1, runs until killed
 *     bench-load download PORT BYTES STREAMS        each stream is sent BYTES
 *     bench-load upload PORT BYTES STREAMS          each stream sends BYTES
 *     bench-load connect PORT COUNT PARALLEL        COUNT connections, a byte echoed on each
 *     bench-load pingpong PORT COUNT                64 bytes there and back, COUNT times
 *     bench-load http PORT COUNT HOST COOKIE        COUNT requests on one connection
 *
 * The clients print one JSON object. A connection says what it wants by its first bytes: 'D' and
 * the length (8 bytes, big-endian), 'U' (answered by one byte after the end), 'E' for echo, or
 * "GET ..." for HTTP with keep-alive.
 * One thread with epoll serves, a thread a stream loads.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_LEN = 256 * 1024, HEAD_LEN = 9, PING_LEN = 64, EVENTS = 64, STREAMS_MAX = 256 };

static unsigned char block[BLOCK_LEN];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now_sec(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void no_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* ---- server ---- */

struct served {
    int fd;
    unsigned char head[HEAD_LEN];
    size_t head_len;
    uint64_t left; /* still to be sent */
    unsigned char echo[4096];
    size_t echo_len;
    uint32_t wanted; /* epoll events */
};

static void served_free(struct served *s)
{
    close(s->fd);
    free(s);
}

/* True while the connection goes on. */
static bool send_down(struct served *s)
{
    while (s->left > 0) {
        size_t len = s->left < BLOCK_LEN ? (size_t)s->left : BLOCK_LEN;
        ssize_t n = send(s->fd, block, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        s->left -= (uint64_t)n;
    }
    shutdown(s->fd, SHUT_WR);
    return false;
}

static bool take_up(struct served *s)
{
    static unsigned char sink[BLOCK_LEN];
    for (int i = 0; i < 16; i++) {
        ssize_t n = recv(s->fd, sink, sizeof(sink), MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN;
        if (n == 0) {
            send(s->fd, "k", 1, MSG_NOSIGNAL);
            return false;
        }
    }
    return true;
}

static bool echo(struct served *s)
{
    if (s->echo_len == 0) {
        ssize_t n = recv(s->fd, s->echo, sizeof(s->echo), MSG_DONTWAIT);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        s->echo_len = (size_t)n;
    }
    ssize_t n = send(s->fd, s->echo, s->echo_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN;
    memmove(s->echo, s->echo + n, s->echo_len - (size_t)n);
    s->echo_len -= (size_t)n;
    return true;
}

static const char http_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* Requests have no body, and the client waits for each answer. */
static bool answer_http(struct served *s)
{
    ssize_t n = recv(s->fd, s->echo + s->echo_len, sizeof(s->echo) - s->echo_len, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    s->echo_len += (size_t)n;
    if (!memmem(s->echo, s->echo_len, "\r\n\r\n", 4))
        return s->echo_len < sizeof(s->echo);
    s->echo_len = 0;
    return send(s->fd, http_answer, sizeof(http_answer) - 1, MSG_NOSIGNAL) > 0;
}

static bool read_head(struct served *s, size_t want)
{
    ssize_t n = recv(s->fd, s->head + s->head_len, want - s->head_len, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    s->head_len += (size_t)n;
    if (s->head_len == HEAD_LEN) {
        memcpy(&s->left, s->head + 1, sizeof(s->left));
        s->left = be64toh(s->left);
    }
    return true;
}

static bool serve_one(struct served *s)
{
    if (s->head_len == 0 && !read_head(s, 1))
        return false;
    if (s->head_len == 0)
        return true;
    switch (s->head[0]) {
    case 'D':
        if (s->head_len < HEAD_LEN)
            return read_head(s, HEAD_LEN);
        return send_down(s);
    case 'U':
        return take_up(s);
    case 'E':
        return echo(s);
    case 'G':
        return answer_http(s);
    default:
        return false;
    }
}

static void accept_all(int listener, int epoll)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct served *s = calloc(1, sizeof(*s));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
        if (!s)
            die("calloc");
        s->fd = fd;
        s->wanted = EPOLLIN;
        no_delay(fd);
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void serve_ready(struct served *s, int epoll)
{
    if (!serve_one(s)) {
        served_free(s);
        return;
    }
    bool sending = s->left > 0 || (s->head[0] == 'E' && s->echo_len > 0);
    uint32_t wanted = sending ? EPOLLOUT : EPOLLIN;
    if (wanted == s->wanted)
        return;
    struct epoll_event event = {.events = wanted, .data.ptr = s};
    epoll_ctl(epoll, EPOLL_CTL_MOD, s->fd, &event);
    s->wanted = wanted;
}

__attribute__((noreturn)) static void serve(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, ready[EVENTS];
    if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 4096) < 0)
        die("listen");
    getsockname(listener, (struct sockaddr *)&addr, &len);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    printf("%u\n", ntohs(addr.sin_port));
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(epoll, ready, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr)
                serve_ready(ready[i].data.ptr, epoll);
            else
                accept_all(listener, epoll);
        }
    }
}

/* ---- clients ---- */

struct load {
    uint16_t port;
    uint64_t amount; /* bytes, or rounds */
    bool failed;
};

static int connect_to(uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        die("connect");
    no_delay(fd);
    return fd;
}

static bool send_all(int fd, const void *data, size_t len)
{
    const unsigned char *p = data;
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool recv_all(int fd, void *data, size_t len)
{
    unsigned char *p = data;
    while (len > 0) {
        ssize_t n = recv(fd, p, len, 0);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static void *download(void *ud)
{
    struct load *l = ud;
    unsigned char *sink = malloc(BLOCK_LEN), head[HEAD_LEN] = {'D'};
    uint64_t length = htobe64(l->amount), got = 0;
    int fd = connect_to(l->port);
    ssize_t n = 0;
    memcpy(head + 1, &length, sizeof(length));
    l->failed = !sink || !send_all(fd, head, sizeof(head));
    while (!l->failed && (n = recv(fd, sink, BLOCK_LEN, 0)) > 0)
        got += (uint64_t)n;
    l->failed |= n < 0 || got != l->amount;
    close(fd);
    free(sink);
    return NULL;
}

static void *upload(void *ud)
{
    struct load *l = ud;
    int fd = connect_to(l->port);
    unsigned char answer;
    bool ok = send_all(fd, "U", 1);
    for (uint64_t left = l->amount; ok && left > 0;) {
        size_t len = left < BLOCK_LEN ? (size_t)left : BLOCK_LEN;
        ok = send_all(fd, block, len);
        left -= len;
    }
    shutdown(fd, SHUT_WR);
    l->failed = !ok || !recv_all(fd, &answer, 1);
    close(fd);
    return NULL;
}

static void *connect_often(void *ud)
{
    struct load *l = ud;
    for (uint64_t i = 0; i < l->amount && !l->failed; i++) {
        unsigned char byte;
        int fd = connect_to(l->port);
        l->failed = !send_all(fd, "Ex", 2) || !recv_all(fd, &byte, 1);
        close(fd);
    }
    return NULL;
}

static int run_threads(void *(*body)(void *), uint16_t port, uint64_t amount, unsigned threads)
{
    static struct load loads[STREAMS_MAX];
    static pthread_t ids[STREAMS_MAX];
    bool failed = false;
    double start = now_sec();
    for (unsigned i = 0; i < threads; i++) {
        loads[i] = (struct load){.port = port, .amount = amount};
        if (pthread_create(&ids[i], NULL, body, &loads[i]) != 0)
            die("pthread_create");
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        failed |= loads[i].failed;
    }
    double seconds = now_sec() - start;
    printf("{\"seconds\": %.6f, \"amount\": %" PRIu64 ", \"failed\": %s}\n", seconds,
           amount * threads, failed ? "true" : "false");
    return failed;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_times(double *us, uint64_t count)
{
    double sum = 0;
    for (uint64_t i = 0; i < count; i++)
        sum += us[i];
    qsort(us, count, sizeof(*us), by_value);
    printf("{\"p50_us\": %.1f, \"p99_us\": %.1f, \"per_second\": %.0f, \"failed\": false}\n",
           us[count / 2], us[count * 99 / 100], (double)count * 1e6 / sum);
}

static int pingpong(uint16_t port, uint64_t count)
{
    unsigned char ping[PING_LEN] = {0};
    double *us = calloc(count, sizeof(*us));
    int fd = connect_to(port);
    bool ok = us && count > 0 && send_all(fd, "E", 1);
    for (uint64_t i = 0; ok && i < count; i++) {
        double start = now_sec();
        ok = send_all(fd, ping, sizeof(ping)) && recv_all(fd, ping, sizeof(ping));
        us[i] = (now_sec() - start) * 1e6;
    }
    close(fd);
    if (ok)
        print_times(us, count);
    free(us);
    return !ok;
}

/* Up to the body, which is the one that the server sends. */
static bool read_answer(int fd)
{
    char text[16384];
    size_t len = 0;
    for (;;) {
        ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        if (end && end + 6 <= text + len)
            return strncmp(text, "HTTP/1.1 200 ", 13) == 0 && strcmp(end + 4, "ok") == 0;
    }
}

static int http(uint16_t port, uint64_t count, const char *host, const char *cookie)
{
    char request[8192];
    int len = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", host,
                       *cookie ? "Cookie: " : "", cookie, *cookie ? "\r\n" : "");
    double *us = calloc(count, sizeof(*us));
    int fd = connect_to(port);
    bool ok = us && len > 0 && (size_t)len < sizeof(request);
    for (uint64_t i = 0; ok && i < count; i++) {
        double start = now_sec();
        ok = send_all(fd, request, (size_t)len) && read_answer(fd);
        us[i] = (now_sec() - start) * 1e6;
    }
    close(fd);
    if (ok)
        print_times(us, count);
    free(us);
    return !ok;
}

static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno || *end || v == 0) {
        fprintf(stderr, "bench-load: %s is not a positive number\n", text);
        exit(2);
    }
    return v;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        serve();
    if (argc < 4) {
        fputs("usage: bench-load serve | download|upload|connect|pingpong|http PORT N ...\n",
              stderr);
        return 2;
    }
    uint16_t port = (uint16_t)number(argv[2]);
    uint64_t amount = number(argv[3]);
    unsigned streams = argc == 5 ? (unsigned)number(argv[4]) : 1;
    if (streams > STREAMS_MAX)
        streams = STREAMS_MAX;
    if (strcmp(argv[1], "download") == 0)
        return run_threads(download, port, amount, streams);
    if (strcmp(argv[1], "upload") == 0)
        return run_threads(upload, port, amount, streams);
    if (strcmp(argv[1], "connect") == 0)
        return run_threads(connect_often, port, amount / streams, streams);
    if (strcmp(argv[1], "pingpong") == 0)
        return pingpong(port, amount);
    if (strcmp(argv[1], "http") == 0 && argc == 6)
        return http(port, amount, argv[4], argv[5]);
    return 2;
}
