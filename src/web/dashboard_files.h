#pragma once
/* The files of dashboard/, bundled into the program; dashboard/build.mjs makes their source. */
#include <stddef.h>

struct dashboard_bytes {
    const unsigned char *data;
    size_t len;
};

struct dashboard_file {
    const char *path; /* "/assets/app-HASH.js": what it holds never changes; NULL: there is none */
    const char *type; /* Content-Type */
    const char *etag; /* with its quotes */
    struct dashboard_bytes plain, gzip, brotli;
};

/* The page that all paths of the dashboard show. Its path is NULL in a program without one. */
extern const struct dashboard_file dashboard_page;
extern const struct dashboard_file dashboard_files[];
extern const size_t dashboard_n_files;
