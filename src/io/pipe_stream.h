#pragma once
/* Two descriptors, such as standard input and output, as one stream: pipes, sockets, terminals.
   Pipes are widened. */
struct loop;
struct stream;

/* Takes over both (they may be the same one) and makes them non-blocking. */
struct stream *pipe_stream_new(struct loop *loop, int in, int out);
