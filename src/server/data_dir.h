#pragma once
/*
 * The folder that holds all that a server keeps. It is made when it is missing (0700), and locked
 * for as long as the process lives, so that two servers never work on one embedded store.
 */
#include "base/err.h"

/* The file in it that the store is. */
#define DATA_DIR_STORE "adit.db"

struct data_dir;

/*
 * 0; -EBUSY: another server has it (the text names its process); -EACCES and the like: with a
 * text. The lock ends with the process, however that ends.
 */
int data_dir_open(const char *path, struct data_dir **ret, struct err *err);
/* Releases the lock. Returns NULL; accepts NULL. */
struct data_dir *data_dir_close(struct data_dir *d);
/* "PATH/name"; the caller frees it. */
char *data_dir_path(const struct data_dir *d, const char *name);
