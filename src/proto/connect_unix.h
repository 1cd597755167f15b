#pragma once
/*
 * The path of a `connect-unix` request: /.well-known/masque/unix/{socket_path}/ with the socket's
 * path percent-encoded, its slashes too.
 */
#include "base/buf.h"
#include "base/span.h"

enum {
    UNIX_PATH_MAX_LEN = 107, /* sun_path without its NUL */
    UNIX_PATH_SIZE = UNIX_PATH_MAX_LEN + 1,
};

/* Whether it is 1 to 107 bytes without control characters. */
bool unix_path_valid(struct span path);

/* Appends the path of the request. 0, -ENOBUFS, or -EINVAL: not a socket path. */
int connect_unix_format(const char *socket_path, struct buf *dst);
/* 0; -ENOENT: another path; -EINVAL: broken encoding, a control character, empty, or too long. */
int connect_unix_parse(struct span path, char ret_path[static UNIX_PATH_SIZE]);
