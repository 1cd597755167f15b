#include "io/bind_error.h"

#include <errno.h>

int bind_error_explain(struct err *err, int code, const struct addr *addr)
{
    char text[ADDR_TEXT_LEN];
    addr_format(addr, text);
    switch (code) {
    case -EADDRINUSE:
        return err_set(err, code, "%s is in use", text);
    case -EADDRNOTAVAIL:
        return err_set(err, code, "%s: this machine has no such address", text);
    case -EAFNOSUPPORT:
        return err_set(err, code, "%s: this machine has no %s", text,
                       addr->sa.sa_family == AF_INET6 ? "IPv6" : "such protocol");
    case -EACCES:
        if (addr_port(addr))
            return err_set(err, code, "%s: port %u needs root or CAP_NET_BIND_SERVICE", text,
                           addr_port(addr));
        break;
    default:
        break;
    }
    return err_sys(err, code, "cannot listen on %s", text);
}
