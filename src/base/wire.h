#pragma once
/*
 * Reading and writing binary formats through a cursor with a latched error: read all fields, then
 * ask once whether all was there, and whether anything is left over.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct wire_reader {
    const unsigned char *p;
    size_t left;
    bool failed; /* a read went past the end; every later read gives zeros */
};

struct wire_reader wire_reader_of(const void *data, size_t len);
uint8_t wire_read_u8(struct wire_reader *r);
uint16_t wire_read_u16(struct wire_reader *r); /* network byte order */
uint32_t wire_read_u32(struct wire_reader *r);
uint64_t wire_read_varint(struct wire_reader *r); /* RFC 9000 section 16 */
/* `len` bytes, borrowed from the input; an empty span after a failure. */
struct span wire_read_bytes(struct wire_reader *r, size_t len);
/* Nothing failed, and nothing is left over. */
bool wire_read_done(const struct wire_reader *r);

struct wire_writer {
    unsigned char *p;
    size_t left;
    size_t len;  /* bytes written */
    bool failed; /* a write did not fit; nothing is written from there on */
};

struct wire_writer wire_writer_of(void *dst, size_t size);
void wire_write_u8(struct wire_writer *w, uint8_t v);
void wire_write_u16(struct wire_writer *w, uint16_t v);
void wire_write_u32(struct wire_writer *w, uint32_t v);
void wire_write_varint(struct wire_writer *w, uint64_t v); /* from 2^62 on: a failure */
void wire_write_bytes(struct wire_writer *w, const void *data, size_t len);
