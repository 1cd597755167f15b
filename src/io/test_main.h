#pragma once
/* A test program around a loop: this folder's and those of the floors above. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"

/* Turns the loop until `cond`; the watchdog of TEST_MAIN ends a test that waits for ever. */
#define TURN_UNTIL(loop, cond)                                                                     \
    do {                                                                                           \
        while (!(cond))                                                                            \
            loop_turn(loop, true);                                                                 \
    } while (0)

#define TEST_MAIN(...)                                                                             \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                           \
        alarm(100);                                                                                \
        return cmocka_run_group_tests(tests, NULL, NULL);                                          \
    }                                                                                              \
    struct test_main_semicolon
