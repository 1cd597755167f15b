#include "forward/same_user.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/span.h"
#include "io/socket_owner.h"

static const usec_t name_valid = 10 * USEC_PER_SEC;

bool same_user_allows(unsigned uid, unsigned self)
{
    return uid == self || uid == 0;
}

static void look_up(uid_t uid, char dst[static USER_TEXT_SIZE])
{
    char buffer[4096];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
        str_copy(dst, USER_TEXT_SIZE, found->pw_name);
    else
        snprintf(dst, USER_TEXT_SIZE, "uid %u", (unsigned)uid);
}

/* Mostly one and the same user connects, many times a second. */
static void name_user(uid_t uid, char dst[static USER_TEXT_SIZE])
{
    static _Thread_local struct {
        uid_t uid;
        usec_t until;
        char name[USER_TEXT_SIZE];
    } last;
    usec_t now = clock_monotonic();
    if (last.until <= now || last.uid != uid) {
        look_up(uid, last.name);
        last.uid = uid;
        last.until = now + name_valid;
    }
    memcpy(dst, last.name, USER_TEXT_SIZE);
}

static struct same_user_verdict judge(int found, uid_t uid)
{
    struct same_user_verdict v = {0};
    if (found < 0)
        return v;
    v.known = true;
    v.allowed = same_user_allows(uid, geteuid());
    name_user(uid, v.user);
    return v;
}

static const struct same_user_verdict allowed = {.allowed = true};

struct same_user_verdict same_user_tcp(const struct addr *peer, const struct addr *local)
{
    uid_t uid = 0;
    if (!addr_is_loopback(local))
        return allowed;
    int r = socket_owner_tcp(peer, local, &uid);
    return judge(r, uid);
}

struct same_user_verdict same_user_udp(const struct addr *peer, const struct addr *local)
{
    uid_t uid = 0;
    if (!addr_is_loopback(local))
        return allowed;
    int r = socket_owner_udp(peer, &uid);
    return judge(r, uid);
}

struct same_user_verdict same_user_unix(int fd)
{
    uid_t uid = 0;
    int r = socket_owner_unix(fd, &uid);
    return judge(r, uid);
}
