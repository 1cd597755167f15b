#pragma once
/*
 * A file of the person's, made by hand or by other programs, that a command changes: links to it,
 * its mode and its owner stay, and readers see the old content or the new one.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"

struct user_file {
    char *path; /* without links */
    char *text; /* NUL-terminated */
    size_t len;
    bool exists;
    mode_t mode;
    uid_t uid;
    gid_t gid;
};

/*
 * Reads at most `max` bytes; none there is an empty one. -EINVAL: not a regular file; -EMSGSIZE:
 * too long; -ENOENT: a link that leads nowhere; others by the system. All with a text.
 */
int user_file_read(const char *path, size_t max, struct user_file *ret, struct err *err);
/* Gives it this content; a new file gets mode 0600. Its folder must be there. */
int user_file_write(const struct user_file *file, struct span text, struct err *err);
void user_file_deinit(struct user_file *file);
