#pragma once
/*
 * What OpenSSH's client must be told so that it goes through adit: the same for `adit ssh`, as its
 * options, and for config-ssh, as a section of its configuration file (ssh_config(5)). Pure.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

enum { SSH_SETTING_MAX = 16 * 1024 };

/* All borrowed. */
struct ssh_setup {
    const char *exe;           /* this program */
    const char *config_home;   /* XDG_CONFIG_HOME for it, or NULL */
    const char *url, *ca_file; /* its options, or NULL */
    unsigned wait_sec;         /* likewise; 0: none */
    bool no_direct;            /* likewise */
    const char *key_file, *hosts_file, *known_hosts_file;
    bool aes; /* AES is quicker than ChaCha20 here */
};

/*
 * 0, or -EINVAL: one of the texts cannot be written so that every version of ssh reads it (control
 * characters; "${" in a file's name, which ssh expands).
 */
int ssh_setup_check(const struct ssh_setup *setup, struct err *err);

/* `preference`: what the person says counts more, and nothing breaks. `value` is lent. */
typedef void ssh_setting_fn(const char *name, const char *value, bool preference, void *ud);
/* Calls `each` for every setting but the account. Values are as they stand behind the name. */
void ssh_settings(const struct ssh_setup *setup, ssh_setting_fn *each, void *ud);

/*
 * The whole section for all workspaces, without markers: lines, ended by newlines. It begins with
 * conditions of its own and ends so that what follows applies to every host again.
 */
void ssh_settings_section(const struct ssh_setup *setup, struct buf *dst);
