#include "cli/ssh_args.h"

#include <string.h>

/* -P took no value before OpenSSH 9.4 and takes one since: it is in neither. */
static const char flags[] = "1246AaCfGgKkMNnqsTtVvXxYy";
static const char with_value[] = "BbcDEeFIiJLlmOopQRSWw";

int ssh_args_option_words(int argc, char *const *argv)
{
    if (argc == 0 || argv[0][0] != '-' || argv[0][1] == '\0')
        return 0;
    for (const char *p = argv[0] + 1; *p; p++) {
        if (strchr(with_value, *p))
            return p[1] ? 1 : argc > 1 ? 2 : 0;
        if (!strchr(flags, *p))
            return 0;
    }
    return 1;
}

int ssh_args_options(int argc, char *const *argv)
{
    int used = 0, n;
    while ((n = ssh_args_option_words(argc - used, argv + used)) > 0)
        used += n;
    return used;
}
