/* The program was built without a provider of its own. */
#include "io/tls_provider.h"

#include <stddef.h>

const char *tls_provider_query(void)
{
    return NULL;
}
