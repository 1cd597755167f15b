#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

static void bytes_survive_hex_and_base64url(void **state)
{
    unsigned char bytes[64], back[64];
    char text[HEX_LEN(64)];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 37 + 250);
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        hex_encode(bytes, n, text);
        assert_int_equal(strlen(text) + 1, HEX_LEN(n));
        assert_int_equal(hex_decode(span_of(text), back, sizeof(back)), n);
        assert_memory_equal(back, bytes, n);
        base64url_encode(bytes, n, text);
        assert_int_equal(strlen(text) + 1, BASE64URL_LEN(n));
        assert_int_equal(base64url_decode(span_of(text), back, sizeof(back)), n);
        assert_memory_equal(back, bytes, n);
        base32hex_encode(bytes, n, text);
        assert_int_equal(strlen(text) + 1, BASE32HEX_LEN(n));
    }
}

/* RFC 4648 section 10. */
static void known_answers_come_out(void **state)
{
    static const char *const rows[][3] = {
        {"", "", ""},
        {"f", "Zg", "co"},
        {"fo", "Zm8", "cpng"},
        {"foo", "Zm9v", "cpnmu"},
        {"foob", "Zm9vYg", "cpnmuog"},
        {"fooba", "Zm9vYmE", "cpnmuoj1"},
        {"foobar", "Zm9vYmFy", "cpnmuoj1e8"},
    };
    char text[32];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = strlen(rows[i][0]);
        assert_string_equal(base64url_encode(rows[i][0], n, text), rows[i][1]);
        assert_string_equal(base32hex_encode(rows[i][0], n, text), rows[i][2]);
    }
    assert_string_equal(base64url_encode("\xfb\xff", 2, text), "-_8");
}

static void each_value_has_one_spelling(void **state)
{
    unsigned char out[8];
    assert_int_equal(hex_decode(SPAN("0"), out, 8), -EINVAL);
    assert_int_equal(hex_decode(SPAN("0g"), out, 8), -EINVAL);
    assert_int_equal(hex_decode(SPAN("0A"), out, 8), -EINVAL);
    assert_int_equal(hex_decode(SPAN("0\0"), out, 8), -EINVAL);
    assert_int_equal(hex_decode(SPAN("000000000000000000"), out, 8), -ENOBUFS);
    assert_int_equal(base64url_decode(SPAN("Z"), out, 8), -EINVAL);
    assert_int_equal(base64url_decode(SPAN("Zh"), out, 8), -EINVAL);
    assert_int_equal(base64url_decode(SPAN("Zg=="), out, 8), -EINVAL);
    assert_int_equal(base64url_decode(SPAN("Z+"), out, 8), -EINVAL);
    assert_int_equal(base64url_decode(SPAN("Zg"), out, 0), -ENOBUFS);
}

static void utf8_is_counted_or_refused(void **state)
{
    static const struct {
        const char *text;
        ssize_t expected;
    } rows[] = {
        {"", 0},
        {"abc", 3},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 3},
        {"\xf4\x8f\xbf\xbf", 1},
        {"\xf4\x90\x80\x80", -EINVAL}, /* beyond U+10FFFF */
        {"\xc0\x80", -EINVAL},         /* overlong */
        {"\xc1\xbf", -EINVAL},
        {"\xe0\x9f\xbf", -EINVAL},
        {"\xf0\x8f\xbf\xbf", -EINVAL},
        {"\xed\xa0\x80", -EINVAL}, /* surrogate */
        {"\xed\x9f\xbf", 1},
        {"\x80", -EINVAL},
        {"\xff", -EINVAL},
        {"a\xc3", -EINVAL},
        {"\xe2\x82", -EINVAL},
        {"\xc3(", -EINVAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(utf8_count(span_of(rows[i].text)), rows[i].expected);
}

static void control_characters_are_found(void **state)
{
    assert_false(text_has_control(SPAN("a b~\xc3\xa4\xc2\xa0")));
    assert_true(text_has_control(SPAN("a\nb")));
    assert_true(text_has_control(SPAN("\0")));
    assert_true(text_has_control(SPAN("\x1b[0m")));
    assert_true(text_has_control(SPAN("\x7f")));
    assert_true(text_has_control(SPAN("\xc2\x9b")));
    assert_false(text_has_control(SPAN("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_survive_hex_and_base64url),
        cmocka_unit_test(known_answers_come_out),
        cmocka_unit_test(each_value_has_one_spelling),
        cmocka_unit_test(utf8_is_counted_or_refused),
        cmocka_unit_test(control_characters_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
