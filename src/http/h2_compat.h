#pragma once
/* Differences between versions of nghttp2. */
#include <nghttp2/nghttp2.h>

/*
 * nghttp2 has a limit of its own on received RST_STREAM frames since 1.57 (and in Debian's 1.52):
 * 33 a second, too few for a busy tunnel. h2.h has its own quota, so this one is made wider.
 */
#if defined(HAVE_NGHTTP2_RESET_LIMIT)
static inline void h2_compat_set_reset_limit(nghttp2_option *option, unsigned burst, unsigned rate)
{
    nghttp2_option_set_stream_reset_rate_limit(option, 2ull * burst, 2ull * rate);
}
#else
static inline void h2_compat_set_reset_limit(nghttp2_option *option, unsigned burst, unsigned rate)
{
}
#endif
