#pragma once
/*
 * Unix socket files that sshd makes for reverse forwards and leaves behind, so that nobody could
 * bind them again. A file is removed when its listener has closed, if it is still the same one:
 * somebody else may have put a new one there.
 */
struct socket_files;

enum { SOCKET_FILES_MAX = 256 }; /* later ones are not remembered */

struct socket_files *socket_files_new(void);
void socket_files_bound(struct socket_files *f, const char *path);
void socket_files_closed(struct socket_files *f, const char *path);
/* Removes no file. Returns NULL; accepts NULL. */
struct socket_files *socket_files_free(struct socket_files *f);
