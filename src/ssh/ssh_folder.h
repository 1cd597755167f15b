#pragma once
/* The private folder (0700) of one SSH connection: sshd's configuration and keys. */
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum ssh_file { SSH_FILE_CONFIG, SSH_FILE_HOST_KEY, SSH_FILE_AUTHORIZED_KEYS, SSH_FILE_COUNT };

struct ssh_folder {
    char *path;
    char *files[SSH_FILE_COUNT]; /* absolute paths */
};

/* Makes it below the user's run-time folder or the one for temporary files. 0 or -errno. */
int ssh_folder_make(struct ssh_folder *ret, struct err *err);
/* Writes a file of mode 0600. */
int ssh_folder_write(const struct ssh_folder *f, enum ssh_file file, struct span text,
                     struct err *err);
/* Removes the files and the folder, and frees the paths. Accepts a zeroed one. */
void ssh_folder_remove(struct ssh_folder *f);
