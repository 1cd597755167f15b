#pragma once
/*
 * The SQL of migrations/NNNN-name.sql, embedded by embed.py at build time: one statement list a
 * file, numbered from 1 without gaps, run in order inside one transaction.
 */
#include <stddef.h>

struct migration {
    const char *name; /* "0001-start" */
    const char *sql;
};

extern const struct migration migrations[];
extern const size_t n_migrations;
