#pragma once
/* How a dial to a channel's target ended, in the words of the channel's answer. */
#include "base/err.h"
#include "io/dial.h"
#include "proto/dial_result.h"

/* `err` as the dial's callback got it; NULL: not known. A Unix socket that is not there is
 * DIAL_NOT_FOUND, one on which nobody listens DIAL_REFUSED. */
enum dial_result dial_answer(enum dial_outcome outcome, const struct err *err);
