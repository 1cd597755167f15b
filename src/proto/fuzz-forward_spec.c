/*
 * Each line is a spec; its first character picks the flag. The set must keep its promises whatever
 * comes: ports in range, a listener of its own for each forward, nothing added on an error.
 */
#include "proto/forward_spec.h"

#include "base/cleanup.h"
#include "base/span.h"
#include "proto/fuzz_check.h"
#include "proto/host.h"

static enum forward_flag flag_of(char c)
{
    switch (c) {
    case 'u':
        return FORWARD_FLAG_UDP;
    case 'L':
        return FORWARD_FLAG_L;
    case 'R':
        return FORWARD_FLAG_R;
    case 'D':
        return FORWARD_FLAG_D;
    default:
        return FORWARD_FLAG_TCP;
    }
}

static void check_forward(const struct forward *f)
{
    bool there = f->kind == FORWARD_REMOTE || f->kind == FORWARD_REMOTE_DYNAMIC;
    bool dynamic = f->kind == FORWARD_DYNAMIC || f->kind == FORWARD_REMOTE_DYNAMIC;
    FUZZ_CHECK(f->local_path ? !f->bind && f->local_port == 0 : f->local_port != 0 || there);
    if (dynamic)
        FUZZ_CHECK(!f->host && !f->remote_path && f->remote_port == 0);
    else
        FUZZ_CHECK(f->remote_path
                       ? !f->host && f->remote_port == 0
                       : f->remote_port != 0 && host_kind_of(span_of(f->host)) != HOST_INVALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(forward_set_deinit) struct forward_set set = FORWARD_SET_INIT;
    struct span rest = span_from(data, size), line;
    if (size > 4096)
        return 0;
    while (set.len < 64 && span_split(&rest, '\n', &line) && line.len) {
        _cleanup_free_ char *spec = span_dup(span_sub(line, 1, line.len));
        struct err err = ERR_INIT;
        size_t before = set.len;
        if (forward_set_add(&set, flag_of(line.p[0]), spec, &err) < 0)
            FUZZ_CHECK(set.len == before && err.text[0]);
        else
            FUZZ_CHECK(set.len > before);
    }
    for (size_t i = 0; i < set.len; i++)
        check_forward(&set.items[i]);
    return 0;
}
