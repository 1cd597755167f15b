#pragma once
/* Status codes (RFC 9110 section 15). */

/* The reason phrase; "Unknown" for codes that have none. */
const char *http_status_text(unsigned status);
