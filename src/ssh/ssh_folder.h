#pragma once
/*
 * The private folder (0700) of one SSH connection: sshd's configuration and keys. As long as it is
 * in use its lock file is locked (flock(2)), so that folders of a process that was killed are told
 * from those of one that runs.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum ssh_file {
    SSH_FILE_CONFIG,
    SSH_FILE_HOST_KEY,
    SSH_FILE_AUTHORIZED_KEYS,
    SSH_FILE_BANNER,
    SSH_FILE_LOCK,
    SSH_FILE_COUNT
};

struct ssh_folder {
    char *path;
    char *files[SSH_FILE_COUNT]; /* absolute paths */
    int lock;                    /* a descriptor; used while `path` is set */
};

/* Makes it below the user's run-time folder or the one for temporary files. 0 or -errno. */
int ssh_folder_make(struct ssh_folder *ret, struct err *err);
/* Writes a file of mode 0600. */
int ssh_folder_write(const struct ssh_folder *f, enum ssh_file file, struct span text,
                     struct err *err);
/* Removes the files and the folder, and frees the paths. Accepts a zeroed one. */
void ssh_folder_remove(struct ssh_folder *f);
/* Removes the folders of our user that nobody uses any more. */
void ssh_folder_clean(void);
