#pragma once
/* Small files that only their owner may read. */
#include <stddef.h>

#include "base/err.h"

/*
 * Reads a whole file of at most `max` bytes into *ret (NUL-terminated; wipe and free it).
 * -ENOENT: no file; -EPERM: its mode lets others read it, or it belongs to somebody else;
 * -EMSGSIZE: too long; other codes by the system. All with a text.
 */
int secret_file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err);
/* Writes `path` in one step (mode 0600): readers see the old content or the new one. */
int secret_file_write(const char *path, const void *data, size_t len, struct err *err);
/* Makes a directory and its parents, mode 0700. */
int secret_file_make_dir(const char *path, struct err *err);
