#include "proto/connect_unix.h"

#include <errno.h>

#include "base/text.h"
#include "proto/url.h"

static const char prefix[] = "/.well-known/masque/unix/";

bool unix_path_valid(struct span path)
{
    return path.len > 0 && path.len <= UNIX_PATH_MAX_LEN && !text_has_control(path);
}

int connect_unix_format(const char *socket_path, struct buf *dst)
{
    if (!unix_path_valid(span_of(socket_path)))
        return -EINVAL;
    size_t before = dst->len;
    int r = buf_append_str(dst, prefix);
    if (r == 0)
        r = percent_encode(span_of(socket_path), dst);
    if (r == 0)
        r = buf_append_byte(dst, '/');
    if (r < 0)
        dst->len = before;
    return r;
}

int connect_unix_parse(struct span path, char ret_path[static UNIX_PATH_SIZE])
{
    char text[UNIX_PATH_SIZE];
    if (!span_starts(path, prefix))
        return -ENOENT;
    struct span encoded = span_sub(path, sizeof(prefix) - 1, path.len);
    if (!span_ends(encoded, "/"))
        return -EINVAL;
    encoded.len--;
    if (span_find(encoded, '/') >= 0 || percent_decode(encoded, text, sizeof(text)) < 0 ||
        !unix_path_valid(span_of(text)))
        return -EINVAL;
    str_copy(ret_path, UNIX_PATH_SIZE, text);
    return 0;
}
