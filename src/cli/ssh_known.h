#pragma once
/*
 * What ssh has to be told about a workspace before it connects, the account, and what it compares
 * while it connects, the host key. Both come from the workspace's agent, through adit, with every
 * connection; they are kept beside the log-ins (credentials.h) in two files of mode 0600, so that
 * asking beforehand is needed only once:
 *
 *     ssh_hosts        for ssh's Include: a Host section for each alias
 *     ssh_known_hosts  for ssh's UserKnownHostsFile
 */
#include "api/peer.h"
#include "base/buf.h"
#include "base/err.h"
#include "cli/ssh_alias.h"
#include "ssh/key.h"

enum {
    SSH_KNOWN_MAX = 500, /* aliases; then the one that was added first is forgotten */
    SSH_KNOWN_URL_SIZE = 256,
    SSH_KNOWN_FILE_MAX = SSH_KNOWN_MAX * 768,
};

struct ssh_known {
    char alias[SSH_ALIAS_SIZE];
    char url[SSH_KNOWN_URL_SIZE]; /* of the deployment */
    struct api_ssh_info info;
};

struct ssh_known_list {
    struct ssh_known *items; /* freed by ssh_known_list_deinit() */
    size_t len;
};

/* ---- the content, pure ---- */

/* Reads ssh_hosts; what is not understood is left out. */
void ssh_known_read(struct span text, struct ssh_known_list *ret);
/* Adds it or replaces the one with its alias. False: it was there already, just so. */
bool ssh_known_list_set(struct ssh_known_list *list, const struct ssh_known *known);
const struct ssh_known *ssh_known_list_find(const struct ssh_known_list *list, const char *alias);
void ssh_known_list_deinit(struct ssh_known_list *list);
void ssh_known_write_hosts(const struct ssh_known_list *list, struct buf *dst);
void ssh_known_write_keys(const struct ssh_known_list *list, struct buf *dst);
/*
 * Whether what an agent said can be written to a file that ssh reads: an account name without
 * anything that ssh or a shell would take for more. 0, or -EINVAL with a text.
 */
int ssh_known_check(const struct api_ssh_info *info, struct err *err);

/* ---- the files ---- */

/* Their paths, whether they are there or not; the caller frees them. */
int ssh_known_paths(char **ret_hosts, char **ret_keys, struct err *err);
/* What is kept about an alias of that deployment. False: nothing, or it cannot be read. */
bool ssh_known_find(const char *url, const char *alias, struct api_ssh_info *ret);
/* Keeps it; files in which it stands already are not written. */
int ssh_known_keep(const char *url, const char *alias, const struct api_ssh_info *info,
                   struct err *err);
/* Removes both files. */
int ssh_known_forget(struct err *err);
