#pragma once
/*
 * The key pair with which ssh logs in to workspaces: made when it is first needed, kept beside the
 * log-ins (credentials.h) as `ssh_key` and `ssh_key.pub`, in OpenSSH's format, mode 0600.
 */
#include "base/err.h"
#include "ssh/key.h"

/* The private file's path, whether it is there or not; the caller frees it. */
int ssh_key_pair_path(char **ret, struct err *err);
/*
 * The private file's path (the caller frees it) and the public line. The pair is made if there is
 * none; a damaged public file or one that is missing leads to a new pair.
 */
int ssh_key_pair_get(char **ret_path, char ret_line[static SSH_KEY_LINE_SIZE], struct err *err);
