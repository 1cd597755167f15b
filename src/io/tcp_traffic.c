#include "io/tcp_traffic.h"

/* The C library's <netinet/tcp.h> ends its struct before these counters. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

bool tcp_traffic_of(int fd, struct tcp_traffic *ret)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return false;
    ret->received = info.tcpi_bytes_received;
    ret->sent = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
    return true;
}
