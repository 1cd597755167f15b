#pragma once
/* What the program's exit status says. The same for every command; the man page lists them. */

enum exit_code {
    EXIT_CODE_OK = 0,            /* done; a forward: ended by SIGINT or SIGTERM */
    EXIT_CODE_FAILURE = 1,       /* it did not work: the error line says why */
    EXIT_CODE_USAGE = 2,         /* the command line is wrong; nothing was started */
    EXIT_CODE_NOT_ALLOWED = 3,   /* not logged in, or no right to do this */
    EXIT_CODE_NOT_REACHABLE = 4, /* --wait: the agent did not become reachable in time */
};
