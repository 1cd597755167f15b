/* A lock file keeps two first runs from making a pair each, of which halves would survive. */
#include "cli/ssh_key_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"
#include "cli/credentials.h"
#include "cli/secret_file.h"

/* 0, or negative: there is no usable pair. */
static int read_pair(const char *private_path, const char *public_path, char *line)
{
    char *text = NULL;
    size_t len = 0;
    struct ssh_public_key key;
    if (access(private_path, R_OK) < 0)
        return -errno;
    int r = secret_file_read(public_path, SSH_KEY_LINE_SIZE, &text, &len, NULL);
    if (r < 0)
        return r;
    struct span trimmed = span_from(text, len);
    if (span_ends(trimmed, "\n"))
        trimmed.len--;
    r = ssh_public_key_parse(trimmed, &key);
    if (r == 0)
        ssh_public_key_line(&key, line);
    free(text);
    return r;
}

static int make_pair(const char *private_path, const char *public_path, char *line, struct err *err)
{
    _cleanup_(buf_wipe) struct buf file = BUF_INIT(SSH_KEY_FILE_MAX);
    char text[SSH_KEY_LINE_SIZE + 2];
    struct ssh_key *key = ssh_key_generate();
    ssh_public_key_line(ssh_key_public(key), line);
    int r = ssh_key_file(key, "adit", &file);
    ssh_key_free(key);
    snprintf(text, sizeof(text), "%s\n", line);
    if (r == 0)
        r = secret_file_write(private_path, buf_data(&file), file.len, err);
    if (r == 0)
        r = secret_file_write(public_path, text, strlen(text), err);
    return r;
}

int ssh_key_pair_path(char **ret, struct err *err)
{
    _cleanup_free_ char *folder = NULL;
    int r = credentials_folder(&folder, err);
    if (r < 0)
        return r;
    *ret = xasprintf("%s/ssh_key", folder);
    return 0;
}

int ssh_key_pair_get(char **ret_path, char ret_line[static SSH_KEY_LINE_SIZE], struct err *err)
{
    _cleanup_free_ char *folder = NULL;
    _cleanup_free_ char *private_path = NULL;
    int r = credentials_folder(&folder, err);
    if (r < 0 || (r = secret_file_make_dir(folder, err)) < 0 ||
        (r = ssh_key_pair_path(&private_path, err)) < 0)
        return r;
    _cleanup_free_ char *public_path = xasprintf("%s.pub", private_path);
    _cleanup_free_ char *lock_path = xasprintf("%s.lock", private_path);
    _cleanup_close_ int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return err_sys(err, -errno, "%s", lock_path);
    if (read_pair(private_path, public_path, ret_line) < 0)
        r = make_pair(private_path, public_path, ret_line, err);
    if (r == 0)
        *ret_path = steal(&private_path);
    return r;
}
