#include "io/sock_diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

struct request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

int sock_diag_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    return fd < 0 ? -errno : fd;
}

/* One piece of the answer: 1 when more follows, 0 at the end, or the error. */
static int take_answer(const unsigned char *data, size_t len, uint32_t number,
                       sock_diag_found_fn *found, void *ud)
{
    const struct nlmsghdr *h = (const struct nlmsghdr *)data;
    for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
        if (h->nlmsg_seq != number)
            continue;
        if (h->nlmsg_type == NLMSG_DONE)
            return 0;
        if (h->nlmsg_type == NLMSG_ERROR)
            return h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))
                       ? -EPROTO
                       : ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
        if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
            h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
            found(NLMSG_DATA(h), h->nlmsg_len - NLMSG_LENGTH(0), ud);
        if (!(h->nlmsg_flags & NLM_F_MULTI))
            return 0;
    }
    return 1;
}

int sock_diag_ask(int fd, const struct inet_diag_req_v2 *question, bool dump, uint32_t number,
                  sock_diag_found_fn *found, void *ud)
{
    const struct request request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_seq = number,
                   .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0))},
        .body = *question,
    };
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    union {
        struct nlmsghdr align;
        unsigned char bytes[32768];
    } answer;
    if (sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
        return -errno;
    int r;
    do {
        ssize_t n = recv(fd, answer.bytes, sizeof(answer.bytes), 0);
        if (n < 0)
            return -errno;
        r = take_answer(answer.bytes, (size_t)n, number, found, ud);
    } while (r > 0);
    return r;
}
