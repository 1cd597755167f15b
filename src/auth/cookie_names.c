#include "auth/cookie_names.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "proto/app_host.h"

enum { HASH_LEN = 8 };

void cookie_names_init(struct cookie_names *names, const struct app_pattern *pattern)
{
    char host[APP_SUFFIX_MAX_LEN + HOST_SIZE + 4];
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char text[HEX_LEN(HASH_LEN)];
    snprintf(host, sizeof(host), "*%s.%s", pattern->suffix, pattern->domain);
    SHA256((const unsigned char *)host, strlen(host), hash);
    hex_encode(hash, HASH_LEN, text);
    snprintf(names->app_session, sizeof(names->app_session), COOKIE_APP_SESSION "%s", text);
    names->all[0] = COOKIE_SESSION;
    names->all[1] = COOKIE_SESSION_SECURE;
    names->all[2] = COOKIE_TICKET;
    names->all[3] = COOKIE_APP_SESSION "*";
    names->n_all = 4;
}
