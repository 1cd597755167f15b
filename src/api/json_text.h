#pragma once
/* JSON strings (RFC 8259 section 7). Within api/ only. */
#include "base/buf.h"
#include "base/span.h"

/* Appends the text in quotes, escaped; bytes that are not UTF-8 become U+FFFD. */
int json_text_write(struct span text, struct buf *out);
