#pragma once
/*
 * Commands with --watch: the server's live updates (GET /events), shown as they come until the
 * command is interrupted. On a terminal the picture is drawn anew, as much of it as there is room
 * for; elsewhere each one is printed behind the last; with --output json each event is a line,
 * {"event": NAME, "data": {...}}. When the server goes away the command says so, and goes on when
 * it is back.
 */
#include <jansson.h>

#include "cli/api_client.h"

struct watch_options {
    const char *workspace;     /* "anna/dev"; NULL: no workspace in particular */
    const char *agent;         /* events of this agent, and those of none; NULL: of all */
    const char *const *topics; /* those that matter, ended by NULL */
    /* Prints the picture from the last event of each topic; called once all have come. */
    void (*draw)(struct cli *cli, const json_t *state, void *ud);
    void *ud;
};

/* --watch itself, for the tables of options. */
#define WATCH_OPTION                                                                               \
    {                                                                                              \
        .name = "watch", .kind = OPTION_FLAG,                                                      \
        .help = "Go on and show each change, until interrupted."                                   \
    }

/*
 * 0 after an interruption (SIGINT, SIGTERM); otherwise the error has been printed and the exit code
 * is returned: the log-in or the right is gone, or the workspace.
 */
int watch_run(struct api_client *c, const struct watch_options *options);
/* Of `state`: the topic's event, read into `ret` (api_release()). False: it is not understood. */
bool watch_read(const json_t *state, const char *topic, const struct api_type *type, void *ret);
