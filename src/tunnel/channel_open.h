#pragma once
/*
 * The head of everything that stands for an open under way: a request on a session, one that
 * waits for a session, one that is preceded by an announcement. For this folder only.
 */

struct channel_open {
    /* Gives it up and frees it, without a callback. */
    void (*cancel)(struct channel_open *open);
};
