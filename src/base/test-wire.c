#include "base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

static void fields_survive_a_round_trip(void **state)
{
    unsigned char bytes[32];
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
    wire_write_u8(&w, 0xab);
    wire_write_u16(&w, 0x0102);
    wire_write_u32(&w, 0xfffefdfc);
    wire_write_bytes(&w, "xyz", 3);
    assert_false(w.failed);
    assert_int_equal(w.len, 10);
    assert_memory_equal(bytes, "\xab\1\2\xff\xfe\xfd\xfcxyz", 10);

    struct wire_reader r = wire_reader_of(bytes, w.len);
    assert_int_equal(wire_read_u8(&r), 0xab);
    assert_int_equal(wire_read_u16(&r), 0x0102);
    assert_int_equal(wire_read_u32(&r), 0xfffefdfc);
    assert_false(wire_read_done(&r));
    assert_true(span_is(wire_read_bytes(&r, 3), "xyz"));
    assert_true(wire_read_done(&r));
}

/* RFC 9000 section A.1, and the ends of each length. */
static void varints_are_as_short_as_they_can_be(void **state)
{
    static const struct {
        uint64_t value;
        size_t len;
    } rows[] = {
        {0, 1},
        {63, 1},
        {64, 2},
        {15293, 2},
        {16383, 2},
        {16384, 4},
        {494878333, 4},
        {1073741823, 4},
        {1073741824, 8},
        {151288809941952652, 8},
        {4611686018427387903, 8},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned char bytes[8];
        struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
        wire_write_varint(&w, rows[i].value);
        assert_int_equal(w.len, rows[i].len);
        struct wire_reader r = wire_reader_of(bytes, w.len);
        assert_true(wire_read_varint(&r) == rows[i].value);
        assert_true(wire_read_done(&r));
        r = wire_reader_of(bytes, w.len - 1);
        assert_int_equal(wire_read_varint(&r), 0);
        assert_true(r.failed);
    }
    struct wire_reader r = wire_reader_of("\xc2\x19\x7c\x5e\xff\x14\xe8\x8c", 8);
    assert_true(wire_read_varint(&r) == 151288809941952652);
    r = wire_reader_of("\x40\x25", 2);
    assert_int_equal(wire_read_varint(&r), 37);
}

static void a_number_beyond_62_bits_is_a_failure(void **state)
{
    unsigned char bytes[8];
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
    wire_write_varint(&w, 1ULL << 62);
    assert_true(w.failed);
    assert_int_equal(w.len, 0);
}

static void a_failed_read_stays_failed(void **state)
{
    struct wire_reader r = wire_reader_of("abc", 3);
    assert_int_equal(wire_read_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(wire_read_u8(&r), 0);
    assert_int_equal(wire_read_bytes(&r, 0).len, 0);
    assert_false(wire_read_done(&r));
    struct wire_reader none = wire_reader_of(NULL, 0);
    assert_int_equal(wire_read_bytes(&none, 0).len, 0);
    assert_true(wire_read_done(&none));
    assert_int_equal(wire_read_varint(&none), 0);
    assert_true(none.failed);
}

static void a_failed_write_changes_nothing_more(void **state)
{
    unsigned char bytes[3] = {9, 9, 9};
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
    wire_write_u16(&w, 1);
    wire_write_u16(&w, 2);
    wire_write_u8(&w, 3);
    assert_true(w.failed);
    assert_int_equal(w.len, 2);
    assert_int_equal(bytes[2], 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_survive_a_round_trip),
        cmocka_unit_test(varints_are_as_short_as_they_can_be),
        cmocka_unit_test(a_number_beyond_62_bits_is_a_failure),
        cmocka_unit_test(a_failed_read_stays_failed),
        cmocka_unit_test(a_failed_write_changes_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
