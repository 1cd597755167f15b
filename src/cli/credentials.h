#pragma once
/*
 * Log-ins kept between commands: $XDG_CONFIG_HOME/adit/credentials.json (else ~/.config/...), a
 * file of mode 0600 in a directory of mode 0700, replaced in one step. Several deployments; the
 * one that was logged in to last is current.
 */
#include <stddef.h>

#include "base/err.h"
#include "base/secret.h"

enum { CREDENTIALS_MAX = 64 }; /* deployments */

struct credential {
    char *url; /* origin: "https://adit.example.com" */
    char *username;
    struct secret *token;
};

struct credentials {
    struct credential items[CREDENTIALS_MAX];
    size_t len;
    char *current; /* url of one of them, or NULL */
};

/*
 * The directory of the file, which may not be there yet; the caller frees it. -ENOENT: neither
 * XDG_CONFIG_HOME nor HOME is set.
 */
int credentials_folder(char **ret, struct err *err);

/*
 * Reads the file; none is no error. -EPERM: others can read it, or it is somebody else's: it is
 * not used, and the text says how to put that right; -EINVAL: it is damaged.
 */
int credentials_load(struct credentials *ret, struct err *err);
/* Writes the file, making the directory where needed. */
int credentials_save(const struct credentials *c, struct err *err);
void credentials_deinit(struct credentials *c);

/* The log-in for `url`, or NULL. */
const struct credential *credentials_find(const struct credentials *c, const char *url);
/* Sets the log-in for `url` and makes it current. The token is copied. 0 or -ENOSPC. */
int credentials_set(struct credentials *c, const char *url, const char *username,
                    const struct secret *token, struct err *err);
/* Forgets the log-in; another one becomes current. -ENOENT: there is none. */
int credentials_remove(struct credentials *c, const char *url);

/*
 * The origin of what a person typed as a deployment's URL: "https://" is put in front where no
 * scheme is given; path and query are dropped. The caller frees *ret. 0, or -EINVAL with a text.
 */
int credentials_url(const char *typed, char **ret, struct err *err);
