#pragma once
/* Tells other programs that the server accepts connections. */
#include "base/err.h"

/* Writes one line of JSON, {"url": …}, as a whole or not at all. 0 or negative with a text. */
int ready_file_write(const char *path, const char *url, struct err *err);
