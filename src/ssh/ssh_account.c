/*
 * Without PAM, sshd takes an account for locked when its password field begins with `!`, as it
 * does for most users of containers, who have no password at all. What sshd sees of the field is
 * what we see, since it runs as the same user: not much of /etc/shadow, but nss-systemd tells
 * everybody that nobody is locked. With PAM it does not look at the field itself.
 *
 * PAM is not used otherwise: what /etc/pam.d/sshd asks for (the audit session id, the message of
 * the day) expects a machine that was booted and an sshd that is root, and a session ends at once
 * when one of its required modules fails. So even then sshd is given another name, for which PAM
 * takes `other`: on Debian the common account checks, without the rest. Elsewhere `other` denies
 * everything, and sshd keeps its name.
 */
#include "ssh/ssh_account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/span.h"

#define PRIVSEP_FOLDER "/run/sshd"
#define PAM_SERVICE    "/etc/pam.d/sshd"
#define HOSTS_DENY     "/etc/hosts.deny"
#define PAM_OTHER      "/etc/pam.d/other"

static int check_shell(const struct passwd *pw, struct err *err)
{
    const char *shell = pw->pw_shell && pw->pw_shell[0] ? pw->pw_shell : "/bin/sh";
    if (access(shell, X_OK) < 0)
        return err_set(err, -EACCES,
                       "the login shell %s of the workspace's user %s cannot be run: change it "
                       "with usermod --shell",
                       shell, pw->pw_name);
    return 0;
}

static bool refuses_to_run(const char *shell)
{
    struct span path = span_of(shell);
    return span_ends(path, "/nologin") || span_ends(path, "/false");
}

/* Debian's has the common parts. */
static bool pam_other_lets_in(void)
{
    char text[4096];
    _cleanup_close_ int fd = open(PAM_OTHER, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    return n > 0 && span_find_str(span_from(text, (size_t)n), "\n@include common-account") >= 0;
}

static bool is_locked(const struct passwd *pw)
{
    const struct spwd *shadow = getspnam(pw->pw_name);
    const char *field = shadow ? shadow->sp_pwdp : pw->pw_passwd;
    return field && field[0] == '!';
}

/*
 * sshd gives a new terminal to the account and the group tty, and ends the whole connection where
 * it may not. The kernel does both by itself where /dev/pts is mounted with gid=5, as it is on
 * most machines. Whether sshd may is found out by doing as it does.
 */
static bool can_have_terminal(const struct passwd *pw)
{
    char path[64];
    struct stat st;
    const struct group *tty = getgrnam("tty");
    gid_t gid = tty ? tty->gr_gid : pw->pw_gid;
    _cleanup_close_ int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || ptsname_r(fd, path, sizeof(path)) != 0 || stat(path, &st) < 0)
        return true; /* without any, sshd itself refuses just the terminal */
    if (st.st_uid == pw->pw_uid && st.st_gid == gid)
        return true;
    return chown(path, pw->pw_uid, gid) == 0 || errno == EROFS;
}

int ssh_account_read(struct ssh_account *ret, struct err *err)
{
    struct ssh_account account = {.root = geteuid() == 0, .sshd_name = "/usr/sbin/sshd"};
    const struct passwd *pw = getpwuid(geteuid());
    if (!pw)
        return err_set(err, -ENOENT,
                       "the agent's user id %u has no name in the workspace's /etc/passwd: SSH "
                       "needs one",
                       (unsigned)geteuid());
    if (!str_copy(account.user, sizeof(account.user), pw->pw_name))
        return err_set(err, -ENAMETOOLONG, "the name of the agent's user is too long");
    int r = check_shell(pw, err);
    if (r < 0)
        return r;
    if (refuses_to_run(pw->pw_shell))
        str_copy(account.no_shell, sizeof(account.no_shell), pw->pw_shell);
    account.no_terminal = !can_have_terminal(pw);
    if (is_locked(pw)) {
        bool other = pam_other_lets_in();
        account.pam = other || access(PAM_SERVICE, R_OK) == 0;
        if (other)
            account.sshd_name = "/usr/sbin/adit-sshd";
        if (!account.pam)
            return err_set(err, -EACCES,
                           "the account %s is locked for sshd (its password field begins with "
                           "'!'): run usermod -p '*' %s in the workspace",
                           account.user, account.user);
    }
    *ret = account;
    return 0;
}

const char *ssh_server_path(struct err *err)
{
    static const char *const places[] = {"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd",
                                         "/usr/bin/sshd"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    err_set(err, -ENOENT,
            "the workspace has no sshd: install the package openssh-server there; nothing needs "
            "to be started or configured");
    return NULL;
}

bool ssh_server_minds_addresses(void)
{
    char line[1024];
    bool rules = false;
    FILE *f = fopen(HOSTS_DENY, "re");
    if (!f)
        return errno != ENOENT;
    while (!rules && fgets(line, sizeof(line), f)) {
        size_t blank = strspn(line, " \t\r\n");
        rules = line[blank] && line[blank] != '#';
    }
    fclose(f);
    return rules;
}

int ssh_account_prepare(const struct ssh_account *account, struct err *err)
{
    if (!account->root || mkdir(PRIVSEP_FOLDER, 0755) == 0)
        return 0;
    return errno == EEXIST ? 0 : err_sys(err, -errno, "%s cannot be made", PRIVSEP_FOLDER);
}
