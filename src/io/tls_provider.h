#pragma once
/*
 * An OpenSSL provider with a faster AES-GCM for our TLS, where the program was built with one and
 * the processor has what it needs. Nothing else in the process gets its ciphers.
 */

/*
 * The property query of our TLS contexts: prefers the provider, which is loaded by the first call
 * (from any thread). NULL: OpenSSL chooses as it always does, because there is no provider, it is
 * switched off by ADIT_NO_IPSEC_MB=1 in the environment, or OpenSSL is set to FIPS algorithms only.
 */
const char *tls_provider_query(void);
