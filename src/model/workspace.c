#include "model/workspace.h"

#include "base/rand.h"
#include "base/text.h"

const char agent_default_name[] = "main";

char *agent_alias_new(char dst[static AGENT_ALIAS_SIZE])
{
    unsigned char bits[8];
    rand_bytes(bits, sizeof(bits));
    return base32hex_encode(bits, sizeof(bits), dst);
}

bool agent_alias_valid(struct span text)
{
    if (text.len != AGENT_ALIAS_LEN)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'v')))
            return false;
    }
    return true;
}
