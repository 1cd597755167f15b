#pragma once
/*
 * Sends the files of the dashboard, compressed when the browser takes it (RFC 9110 section 12.5.3).
 * Files under hashed names are kept by browsers for good; the page is asked for again each time
 * and answered with 304 when it is the same.
 */
#include <stdbool.h>

struct dashboard_file;
struct exchange;

/* False: the program was built without one. */
bool dashboard_is_there(void);
/* Whether it is a browser that wants to show a page, and not a program. */
bool dashboard_is_wanted(const struct exchange *x);
/* Ends the exchange. Returns the status that was sent: `status` or 304. */
unsigned dashboard_answer(struct exchange *x, unsigned status, const struct dashboard_file *file);
