#include "ssh/terminals.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/span.h"

/*
 * The text of a subsystem has a name that the client chose; these two beginnings are sshd's own,
 * and nothing but the number stands behind them.
 */
static uint16_t number_in(struct span text)
{
    static const char *const starts[] = {"shell on pts/", "command on pts/"};
    uint64_t number;
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        if (span_starts(text, starts[i]) &&
            num_parse(span_sub(text, span_of(starts[i]).len, text.len), 0, UINT16_MAX - 1,
                      &number) == 0)
            return (uint16_t)(number + 1);
    return 0;
}

void terminals_session(struct terminals *t, uint64_t id, const char *text)
{
    if (id < SSHD_SESSIONS_MAX)
        t->number[id] = number_in(span_of(text));
}

static bool tell_one(unsigned number, const char *text)
{
    char path[32];
    struct stat st;
    snprintf(path, sizeof(path), "/dev/pts/%u", number);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || !isatty(fd))
        return false;
    return dprintf(fd, "\r\nadit: %s\r\n", text) > 0;
}

bool terminals_tell(const struct terminals *t, const char *text)
{
    bool told = false;
    for (size_t i = 0; i < SSHD_SESSIONS_MAX; i++)
        if (t->number[i])
            told = tell_one(t->number[i] - 1u, text) || told;
    return told;
}
