#pragma once
/* What the commands about ports and apps are given: a workspace, and a port or an app in it. */
#include <stdint.h>

#include "api/workspace.h"
#include "cli/api_client.h"

struct target {
    struct workspace_ref ref;
    uint16_t port; /* 0: `slug` counts */
    bool https;    /* the port was written with an "s" behind it: it speaks HTTPS */
    char slug[NAME_SIZE];
};

/*
 * The command's arguments, WORKSPACE [PORT[s]|SLUG]. 0, or the usage error has been printed and
 * the exit code is returned.
 */
int target_parse(struct cli *cli, struct target *ret);

/* A workspace and the agent in it that is meant: the one that was named, or the only one. */
struct target_agent {
    struct api_workspace ws;
    const struct api_agent *agent; /* of `ws` */
    char *path;                    /* "/api/v1/workspaces/anna/dev/agents/main" */
};
/* 0, or the error has been printed and the exit code is returned; target_agent_deinit(). */
int target_agent_find(struct api_client *c, const struct workspace_ref *ref,
                      struct target_agent *ret);
void target_agent_deinit(struct target_agent *t);

/* What a command does with what it was given. 0, or the exit code; an error has been printed. */
typedef int target_fn(struct api_client *c, const struct target *t, const struct target_agent *at,
                      void *ud);
/* Finds the deployment and the agent, and calls `fn`. As target_fn. */
int target_call(struct cli *cli, const struct target *t, target_fn *fn, void *ud);
