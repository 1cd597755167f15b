#pragma once
/*
 * Errors that a person will read.
 *
 * A function that can fail for reasons worth reading takes a `struct err *` (may be NULL) as its
 * last parameter and returns a negative errno-like code. The text says what is wrong and, where
 * it helps, what to do. It may quote what a stranger sent: control characters and bytes that are
 * not UTF-8 are replaced. On the way up, callers put context in front with err_wrap().
 * Functions return an error or log it, never both.
 */
#include <stdarg.h>

/* A bounded error in place: nothing to free, may live on the stack. Texts are cut, not grown. */
struct err {
    int code;       /* negative errno-like code; 0 while unset */
    char text[508]; /* one sentence without a newline, UTF-8 */
};

#define ERR_INIT                                                                                   \
    {                                                                                              \
        0                                                                                          \
    }

/* Sets code and text. Returns `code`, so that `return err_set(err, -EINVAL, "...")` works. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_vset(struct err *err, int code, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

/* As err_set with ": " and the text of the errno `-code` behind it. */
int err_sys(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The static analyser sees one file at a time: this tells it that these return `code`. */
#ifdef __clang_analyzer__
#define err_set(err, code, ...)                                                                    \
    __extension__({                                                                                \
        int c_ = (code);                                                                           \
        (err_set)(err, c_, __VA_ARGS__);                                                           \
        c_;                                                                                        \
    })
#define err_sys(err, code, ...)                                                                    \
    __extension__({                                                                                \
        int c_ = (code);                                                                           \
        (err_sys)(err, c_, __VA_ARGS__);                                                           \
        c_;                                                                                        \
    })
#endif

/* Puts "fmt: " in front of the text that is there. Returns the code that is there. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The short name of an errno-like code, positive or negative ("ECONNREFUSED"), for logs. */
const char *err_name(int code);
