#pragma once
/* "Something is happening": turns on standard error while a loop waits; only on a terminal. */
#include "cli/output.h"
#include "io/timer.h"

struct spinner {
    struct output *out;
    struct timer timer;
    const char *text; /* borrowed */
    unsigned turn;
    bool shown;
};

/* Starts it; nothing is shown in the first 300 ms. `text`: "waiting for the server". */
void spinner_start(struct spinner *s, struct loop *loop, struct output *out, const char *text);
/* Stops and wipes the line. Also for one that shows nothing. */
void spinner_stop(struct spinner *s);
