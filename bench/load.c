/*
 * The load of bench/run: one server that sends, takes, echoes or counts, and clients that time it.
 *
 *     bench-load serve [ADDR]                       prints its port, runs until killed
 *     bench-load download PORT BYTES STREAMS        each stream is sent BYTES
 *     bench-load upload PORT BYTES STREAMS          each stream sends BYTES
 *     bench-load timed PORT MS WARM_MS              one stream down for MS; counts after WARM_MS
 *     bench-load timed-up PORT MS WARM_MS           the same up
 *     bench-load connect PORT COUNT PARALLEL        COUNT connections, a byte echoed on each
 *     bench-load pingpong PORT COUNT                64 bytes there and back, COUNT times
 *     bench-load hold PORT COUNT                    opens COUNT connections, a byte echoed on each,
 *                                                   prints a line, keeps them until standard input
 *                                                   ends
 *     bench-load udp PORT COUNT RATE                COUNT datagrams of 1,350 bytes, RATE a second
 *
 * PORT may have an address in front: 10.0.0.2:80. The clients print one JSON object. A connection
 * says what it wants by its first bytes: 'D' and the length (8 bytes, big-endian), 'U' (answered by
 * one byte after the end) or 'E' for echo. On UDP of the same port datagrams are counted; one of
 * nine bytes ('Q' and a number) is answered with that number and the count, which starts anew.
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

enum { DATAGRAM_LEN = 1350, DATAGRAM_BURST = 16, QUERY_LEN = 9, UDP_BUFFER_LEN = 8 << 20 };

static unsigned char block[BLOCK_LEN];
static struct sockaddr_in target = {.sin_family = AF_INET};

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

/* Counts datagrams, in a thread of its own so that TCP does not delay it. */
static void *count_datagrams(void *ud)
{
    int fd = *(const int *)ud;
    uint64_t count = 0;
    for (;;) {
        unsigned char data[2048];
        struct sockaddr_in from;
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &len);
        if (n != QUERY_LEN || data[0] != 'Q') {
            count += n > 0;
            continue;
        }
        uint64_t told = htobe64(count);
        memcpy(data + QUERY_LEN, &told, sizeof(told));
        sendto(fd, data, QUERY_LEN + sizeof(told), 0, (struct sockaddr *)&from, len);
        count = 0;
    }
    return NULL;
}

static int open_udp(const struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), len = UDP_BUFFER_LEN;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &len, sizeof(len)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &len, sizeof(len));
    if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
        die("bind");
    return fd;
}

__attribute__((noreturn)) static void serve(struct sockaddr_in addr)
{
    static int udp;
    socklen_t len = sizeof(addr);
    pthread_t counter;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, ready[EVENTS];
    if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 4096) < 0)
        die("listen");
    getsockname(listener, (struct sockaddr *)&addr, &len);
    udp = open_udp(&addr);
    if (pthread_create(&counter, NULL, count_datagrams, &udp) != 0)
        die("pthread_create");
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
    uint64_t amount; /* bytes, or rounds */
    bool failed;
};

static int connect_out(void)
{
    struct timeval limit = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&target, sizeof(target)) < 0)
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
    int fd = connect_out();
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
    int fd = connect_out();
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
        int fd = connect_out();
        l->failed = !send_all(fd, "Ex", 2) || !recv_all(fd, &byte, 1);
        close(fd);
    }
    return NULL;
}

static int run_threads(void *(*body)(void *), uint64_t amount, unsigned threads)
{
    static struct load loads[STREAMS_MAX];
    static pthread_t ids[STREAMS_MAX];
    bool failed = false;
    double start = now_sec();
    for (unsigned i = 0; i < threads; i++) {
        loads[i] = (struct load){.amount = amount};
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

static int pingpong(uint64_t count)
{
    unsigned char ping[PING_LEN] = {0};
    double *us = calloc(count, sizeof(*us));
    int fd = connect_out();
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

/* Bytes a second of one stream, without those of the first `warm` seconds. */
static int timed(bool up, double seconds, double warm)
{
    static unsigned char sink[BLOCK_LEN];
    unsigned char head[HEAD_LEN] = {'D', 0x40}; /* more than will ever come */
    int fd = connect_out();
    double start = now_sec(), counted_from = 0, now;
    uint64_t bytes = 0;
    bool ok = up ? send_all(fd, "U", 1) : send_all(fd, head, sizeof(head));
    while (ok && (now = now_sec()) < start + seconds) {
        ssize_t n = up ? send(fd, block, BLOCK_LEN, MSG_NOSIGNAL) : recv(fd, sink, BLOCK_LEN, 0);
        ok = n > 0;
        if (now < start + warm)
            continue;
        if (counted_from == 0)
            counted_from = now_sec();
        else
            bytes += (uint64_t)n;
    }
    now = now_sec();
    close(fd);
    printf("{\"seconds\": %.6f, \"amount\": %" PRIu64 ", \"failed\": %s}\n", now - counted_from,
           bytes, ok ? "false" : "true");
    return !ok;
}

static int hold(uint64_t count)
{
    char byte;
    bool ok = true;
    for (uint64_t i = 0; i < count && ok; i++) {
        int fd = connect_out();
        ok = send_all(fd, "Ex", 2) && recv_all(fd, &byte, 1);
    }
    printf("{\"failed\": %s}\n", ok ? "false" : "true");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return !ok;
}

/* The sink's count since it was last asked; -1: no answer. */
static int64_t ask_count(int fd, unsigned run)
{
    struct timeval patience = {.tv_usec = 200000};
    unsigned char query[QUERY_LEN] = {'Q'}, answer[64];
    query[1] = (unsigned char)run;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    for (int tries = 0; tries < 25; tries++) {
        send(fd, query, sizeof(query), 0);
        ssize_t n = recv(fd, answer, sizeof(answer), 0);
        if (n == QUERY_LEN + 8 && answer[1] == query[1]) {
            uint64_t count;
            memcpy(&count, answer + QUERY_LEN, sizeof(count));
            return (int64_t)be64toh(count);
        }
    }
    return -1;
}

static void sleep_until(double at)
{
    double left = at - now_sec();
    struct timespec ts = {.tv_sec = (time_t)left};
    if (left <= 0)
        return;
    ts.tv_nsec = (long)((left - (double)ts.tv_sec) * 1e9);
    nanosleep(&ts, NULL);
}

static int udp(uint64_t count, uint64_t rate)
{
    struct mmsghdr burst[DATAGRAM_BURST] = {0};
    struct iovec iov = {block, DATAGRAM_LEN};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), len = UDP_BUFFER_LEN;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &len, sizeof(len));
    if (connect(fd, (struct sockaddr *)&target, sizeof(target)) < 0)
        die("connect");
    for (int i = 0; i < DATAGRAM_BURST; i++)
        burst[i].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
    bool ok = ask_count(fd, 1) >= 0; /* the flow is open, the count starts */
    double start = now_sec();
    uint64_t sent = 0;
    while (ok && sent < count) {
        int n = sendmmsg(fd, burst, DATAGRAM_BURST, 0);
        ok = n > 0;
        sent += ok ? (uint64_t)n : 0;
        sleep_until(start + (double)sent / (double)rate);
    }
    double seconds = now_sec() - start;
    usleep(200000); /* what is on the way */
    int64_t received = ok ? ask_count(fd, 2) : -1;
    printf("{\"seconds\": %.6f, \"sent\": %" PRIu64 ", \"received\": %" PRId64
           ", \"failed\": %s}\n",
           seconds, sent, received, received < 0 ? "true" : "false");
    close(fd);
    return received < 0;
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

/* "[ADDR:]PORT" */
static void set_target(const char *text)
{
    char addr[INET_ADDRSTRLEN] = "127.0.0.1";
    const char *colon = strchr(text, ':');
    if (colon)
        snprintf(addr, sizeof(addr), "%.*s", (int)(colon - text), text);
    target.sin_port = htons((uint16_t)number(colon ? colon + 1 : text));
    if (inet_pton(AF_INET, addr, &target.sin_addr) != 1)
        die(addr);
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "serve") == 0) {
        struct sockaddr_in addr = {.sin_family = AF_INET};
        inet_pton(AF_INET, argc > 2 ? argv[2] : "127.0.0.1", &addr.sin_addr);
        serve(addr);
    }
    if (argc < 4) {
        fputs("usage: bench-load serve | download|upload|timed|timed-up|connect|pingpong|hold|udp "
              "PORT N ...\n",
              stderr);
        return 2;
    }
    set_target(argv[2]);
    const char *what = argv[1];
    uint64_t amount = number(argv[3]), other = argc > 4 ? number(argv[4]) : 1;
    unsigned streams = other < STREAMS_MAX ? (unsigned)other : STREAMS_MAX;
    if (strcmp(what, "download") == 0)
        return run_threads(download, amount, streams);
    if (strcmp(what, "upload") == 0)
        return run_threads(upload, amount, streams);
    if (strcmp(what, "connect") == 0)
        return run_threads(connect_often, amount / streams, streams);
    if (strcmp(what, "pingpong") == 0)
        return pingpong(amount);
    if (strcmp(what, "hold") == 0)
        return hold(amount);
    if (strcmp(what, "udp") == 0)
        return udp(amount, other);
    if (strcmp(what, "timed") == 0 || strcmp(what, "timed-up") == 0)
        return timed(what[5] != '\0', (double)amount / 1e3, (double)other / 1e3);
    return 2;
}
