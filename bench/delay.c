/*
 * A line between two network namespaces, for bench/run: packets of a TUN device in one come out
 * of a TUN device in the other after a delay, at a limited rate, with losses.
 *
 *     bench-delay NAMESPACE NAMESPACE DEVICE DELAY_MS MBIT LOSS_PERCENT
 *
 * DELAY_MS is one way. Whole packets are delayed, so that the windows of the kernels' TCP at both
 * ends matter as they do on a real line. A packet that would wait for more than QUEUE_SEC to be
 * sent is dropped, like in a router. Losses are drawn from a fixed seed, the same in every run.
 * Prints "ready" when the devices are there; runs until killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { PACKET_MAX = 2048, RING_LEN = 32768, READS_PER_TURN = 64 };

static const double queue_sec = 0.1;

struct packet {
    double release;
    size_t len;
    unsigned char data[PACKET_MAX];
};

struct way {
    int from, to;
    double free_at; /* when the line has sent what it has */
    struct packet *ring;
    unsigned head, tail; /* of the ring */
};

struct line {
    double delay, bytes_per_sec;
    uint32_t loss; /* of 2^32 */
    struct way ways[2];
};

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

static int open_device(const char *namespace, const char *name)
{
    char path[256];
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(path, sizeof(path), "/run/netns/%s", namespace);
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
        die(path);
    close(ns);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
        die("/dev/net/tun");
    return fd;
}

static bool is_lost(const struct line *l)
{
    static uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) < l->loss;
}

/* Takes what has been sent into one end. */
static void take_in(const struct line *l, struct way *w)
{
    for (int i = 0; i < READS_PER_TURN && w->tail - w->head < RING_LEN; i++) {
        struct packet *p = &w->ring[w->tail % RING_LEN];
        ssize_t n = read(w->from, p->data, PACKET_MAX);
        if (n <= 0)
            return;
        double now = now_sec();
        double start = w->free_at > now ? w->free_at : now;
        if (start - now > queue_sec || is_lost(l))
            continue;
        w->free_at = start + (double)n / l->bytes_per_sec;
        p->release = w->free_at + l->delay;
        p->len = (size_t)n;
        w->tail++;
    }
}

static void give_out(struct way *w)
{
    double now = now_sec();
    while (w->head != w->tail && w->ring[w->head % RING_LEN].release <= now) {
        const struct packet *p = &w->ring[w->head++ % RING_LEN];
        if (write(w->to, p->data, p->len) < 0 && errno != EINVAL && errno != EIO)
            die("write");
    }
}

/* Seconds until the next packet is due. */
static double next_due(const struct line *l)
{
    double due = now_sec() + 1;
    for (int i = 0; i < 2; i++) {
        const struct way *w = &l->ways[i];
        if (w->head != w->tail && w->ring[w->head % RING_LEN].release < due)
            due = w->ring[w->head % RING_LEN].release;
    }
    double left = due - now_sec();
    return left > 0 ? left : 0;
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fputs("usage: bench-delay NAMESPACE NAMESPACE DEVICE DELAY_MS MBIT LOSS_PERCENT\n", stderr);
        return 2;
    }
    struct line l = {.delay = atof(argv[4]) / 1e3,
                     .bytes_per_sec = atof(argv[5]) * 1e6 / 8,
                     .loss = (uint32_t)(atof(argv[6]) / 100 * UINT32_MAX)};
    int a = open_device(argv[1], argv[3]), b = open_device(argv[2], argv[3]);
    l.ways[0] = (struct way){.from = a, .to = b};
    l.ways[1] = (struct way){.from = b, .to = a};
    for (int i = 0; i < 2; i++)
        if (!(l.ways[i].ring = calloc(RING_LEN, sizeof(struct packet))))
            die("calloc");
    prctl(PR_SET_TIMERSLACK, 1UL);
    puts("ready");
    fflush(stdout);
    for (;;) {
        double left = next_due(&l);
        struct timespec wait = {.tv_sec = (time_t)left,
                                .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
        struct pollfd fds[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
        ppoll(fds, 2, &wait, NULL);
        for (int i = 0; i < 2; i++) {
            take_in(&l, &l.ways[i]);
            give_out(&l.ways[i]);
        }
    }
}
