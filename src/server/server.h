#pragma once
/* The server process: everything between a checked configuration and the end of the program. */
#include "base/err.h"

struct server_config;

/*
 * Opens the store, starts the workers, listens, and runs until SIGTERM or SIGINT: then no new work
 * is taken, open streams get the configured time, and all is torn down in reverse. A second signal
 * ends the wait. SIGHUP reads the TLS certificate again and opens the audit
 * file anew (what fails is logged, the old one stays).
 * Tells on standard error where it listens and, while there is no user yet, how to make the first.
 *
 * 0 after an orderly stop; negative with a text for a person when it could not start: -EADDRINUSE,
 * -EBUSY (another server has the data folder), -EACCES, ... To be called once, from the main
 * thread, before other threads are started; it sets up the log as configured.
 */
int server_run(const struct server_config *config, struct err *err);
