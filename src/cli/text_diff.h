#pragma once
#include "base/buf.h"
#include "base/span.h"

/*
 * Appends what differs as one hunk of a unified diff with three lines around it: from the first
 * line that differs to the last. Nothing when the texts are equal. `dst` has room for twice both.
 */
void text_diff(struct span before, struct span after, const char *name, struct buf *dst);
