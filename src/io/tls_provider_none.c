/* The program was built without a provider of its own. */
#include "io/tls_provider.h"

#include <stddef.h>

#include <openssl/crypto.h>

#include "io/tls.h"

const char *tls_provider_query(void)
{
    return NULL;
}

const char *tls_aes_gcm(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
