#pragma once
/*
 * The provider's ciphers: AES-GCM as OpenSSL's libssl uses it for the records of TLS 1.2 and 1.3
 * (provider-cipher(7)). IVs have 12 bytes, tags 16; associated data comes in one piece, in front
 * of the text; contexts are not copied. What is opened before the tag was checked is not to be
 * used until final() has succeeded, as with OpenSSL's own.
 */
#include <openssl/core.h>

extern const OSSL_DISPATCH tls_gcm_128[], tls_gcm_256[];
