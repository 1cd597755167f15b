#pragma once
#include "base/err.h"

/*
 * The path under which this program can be run again, as it was called where that still leads to
 * it (a link outlives an update), else that of the file. The caller frees it.
 */
int own_path(char **ret, struct err *err);
