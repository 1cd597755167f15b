#include "proto/capsule.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"

enum { ROOM = 4 * CAPSULE_MAX_LEN };

/* Reads all of `in`, shown in growing pieces, into "len:first," texts. */
static int read_all(struct span in, size_t step, struct buf *out)
{
    struct capsule_reader reader = {0};
    size_t used = 0;
    for (size_t upto = step;; upto += step) {
        if (upto > in.len)
            upto = in.len;
        int r;
        do {
            struct span payload;
            size_t n;
            r = capsule_read(&reader, in.p + used, upto - used, &n, &payload);
            if (r < 0)
                return r;
            used += n;
            if (r == 1)
                buf_appendf(out, "%zu:%c,", payload.len, payload.len ? payload.p[0] : '-');
        } while (r == 1);
        if (upto == in.len)
            return (int)(in.len - used);
    }
}

static int append_capsule(struct buf *dst, const void *payload, size_t len)
{
    unsigned char header[CAPSULE_HEADER_MAX];
    int r = buf_append(dst, header, capsule_udp_header(len, header));
    return r < 0 ? r : buf_append(dst, payload, len);
}

static void payloads_of_every_size_survive_a_round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, 62, 63, 64, 1400, 9000, 16382, 16383, 65507, 65527};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        _cleanup_(buf_deinit) struct buf wire = BUF_INIT(ROOM);
        _cleanup_free_ char *payload = xmalloc(sizes[i] + 1);
        memset(payload, 'p', sizes[i] + 1);
        assert_int_equal(append_capsule(&wire, payload, sizes[i]), 0);
        struct capsule_reader reader = {0};
        struct span got = SPAN_NULL;
        size_t used = 0;
        for (size_t cut = 0; cut < wire.len; cut += 1 + wire.len / 40)
            assert_int_equal(capsule_read(&reader, buf_data(&wire), cut, &used, &got), 0);
        assert_int_equal(capsule_read(&reader, buf_data(&wire), wire.len, &used, &got), 1);
        assert_int_equal(used, wire.len);
        assert_int_equal(got.len, sizes[i]);
        assert_memory_equal(got.p, payload, sizes[i]);
    }
}

static void capsules_are_read_in_pieces_of_any_size(void **state)
{
    static const struct {
        struct span in;
        const char *expected;
        int left; /* bytes that wait for more, or an error */
    } rows[] = {
        {SPAN("\0\3\0ab"), "2:a,", 0},
        {SPAN("\0\1\0\0\2\0x"), "0:-,1:x,", 0},
        {SPAN("\5\2zz\0\2\0x"), "1:x,", 0},                      /* another type */
        {SPAN("\5\0\0\2\0x"), "1:x,", 0},                        /* an empty one */
        {SPAN("\0\3\2zz\0\2\0x"), "1:x,", 0},                    /* another context */
        {SPAN("\0\4\100\2zz\0\2\0x"), "1:x,", 0},                /* a longer context id */
        {SPAN("\100\0\200\0\0\3\100\0x\0\2\0y"), "1:x,1:y,", 0}, /* numbers not at their shortest */
        {SPAN("\0\3\0a"), "", 4},
        {SPAN("\0"), "", 1},
        {SPAN(""), "", 0},
        {SPAN("\5\12zz"), "", 0},
        {SPAN("\0\0"), "", -EPROTO},         /* no context id */
        {SPAN("\0\1\100"), "", -EPROTO},     /* half a context id */
        {SPAN("\0\200\1\0\0"), "", -EPROTO}, /* 65,536 bytes */
        {SPAN("\0\300\0\0\1\0\0\0\0"), "", -EPROTO},
        {SPAN("\5\200\20\0\1"), "", -EPROTO}, /* longer than what is skipped */
        {SPAN("\5\377\377\377\377\377\377\377\377"), "", -EPROTO},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step <= 20; step++) {
            _cleanup_(buf_deinit) struct buf out = BUF_INIT(100);
            assert_int_equal(read_all(rows[i].in, step, &out), rows[i].left);
            assert_string_equal(buf_cstr(&out), rows[i].expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads_of_every_size_survive_a_round_trip),
        cmocka_unit_test(capsules_are_read_in_pieces_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
