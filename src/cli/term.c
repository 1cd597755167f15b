#include "cli/term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

enum { LINE_MAX_LEN = 1024 };

/* The terminal's settings while its echo is off, put back when a signal ends the program. */
static struct termios saved;
static int saved_fd = -1;

bool term_can_ask(void)
{
    return isatty(STDIN_FILENO) != 0;
}

static void restore_and_die(int signum)
{
    if (saved_fd >= 0)
        tcsetattr(saved_fd, TCSANOW, &saved);
    signal(signum, SIG_DFL);
    raise(signum);
}

/* One line without stdio, so that no buffer keeps a copy. Returns its length. */
static ssize_t read_line(int fd, char dst[static LINE_MAX_LEN + 1], struct err *err)
{
    size_t len = 0;
    for (;;) {
        char c;
        ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, -errno, "the input cannot be read");
        if (n == 0 && len == 0)
            return err_set(err, -ECANCELED, "the input ended before an answer was given");
        if (n == 0 || c == '\n')
            break;
        if (len == LINE_MAX_LEN)
            return err_set(err, -EMSGSIZE, "the input is longer than %d bytes", LINE_MAX_LEN);
        dst[len++] = c;
    }
    if (len > 0 && dst[len - 1] == '\r')
        len--;
    dst[len] = 0;
    return (ssize_t)len;
}

static int read_secret(int fd, struct secret **ret, struct err *err)
{
    char line[LINE_MAX_LEN + 1];
    ssize_t len = read_line(fd, line, err);
    if (len >= 0)
        *ret = secret_new(line, (size_t)len);
    explicit_bzero(line, sizeof(line));
    return len < 0 ? (int)len : 0;
}

int term_ask_secret(const char *prompt, struct secret **ret, struct err *err)
{
    _cleanup_close_ int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || tcgetattr(fd, &saved) < 0)
        return err_set(err, -ENOTTY, "there is no terminal to ask on");
    saved_fd = fd;
    struct sigaction action = {.sa_handler = restore_and_die}, old[3];
    const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &action, &old[i]);

    struct termios quiet = saved;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    quiet.c_lflag |= ECHONL;
    tcsetattr(fd, TCSAFLUSH, &quiet);
    dprintf(fd, "%s", prompt);
    int r = read_secret(fd, ret, err);
    tcsetattr(fd, TCSAFLUSH, &saved);

    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &old[i], NULL);
    saved_fd = -1;
    return r;
}

int term_ask_line(const char *prompt, char **ret, struct err *err)
{
    if (!term_can_ask())
        return err_set(err, -ENOTTY, "there is no terminal to ask on");
    fprintf(stderr, "%s", prompt);
    fflush(stderr);
    char line[LINE_MAX_LEN + 1];
    ssize_t len = read_line(STDIN_FILENO, line, err);
    if (len < 0)
        return (int)len;
    *ret = xstrdup(line);
    return 0;
}

bool term_confirm(const char *question)
{
    _cleanup_free_ char *prompt = xasprintf("%s [y/N] ", question);
    _cleanup_free_ char *answer = NULL;
    if (term_ask_line(prompt, &answer, NULL) < 0)
        return false;
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

int term_read_stdin_secret(struct secret **ret, struct err *err)
{
    return read_secret(STDIN_FILENO, ret, err);
}
