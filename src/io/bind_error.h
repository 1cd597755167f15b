#pragma once
/* Why an address cannot be bound, in words that its user understands. */
#include "base/err.h"
#include "io/addr.h"

/* Sets `err` for the errno-like `code` that bind or listen gave. Returns `code`. */
int bind_error_explain(struct err *err, int code, const struct addr *addr);
