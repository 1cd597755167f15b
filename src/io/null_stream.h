#pragma once
/* A stream without another side, for measuring: it swallows what is sent. */
#include "io/stream.h"

/*
 * `source`: zeros are received, without end. Otherwise nothing is, until this end is shut down, and
 * then the end: whoever sees it knows that all bytes before were swallowed.
 */
struct stream *null_stream_new(struct loop *loop, bool source);
