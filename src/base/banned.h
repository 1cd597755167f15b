#pragma once
/*
 * Functions that do not belong in this code. Included before every file by the build, so that a
 * use of one does not compile. The safe helper is named beside each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BANNED(func) sorry_##func##_is_a_banned_function

#undef strcpy
#define strcpy(d, s) BANNED(strcpy) /* str_copy */
#undef strcat
#define strcat(d, s) BANNED(strcat) /* buf_appendf */
#undef strncpy
#define strncpy(d, s, n) BANNED(strncpy) /* str_copy */
#undef strncat
#define strncat(d, s, n) BANNED(strncat) /* buf_append */
#undef sprintf
#define sprintf(...) BANNED(sprintf) /* snprintf, buf_appendf */
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf) /* vsnprintf */
#undef strtok
#define strtok(s, d) BANNED(strtok) /* span_split */
#undef atoi
#define atoi(s) BANNED(atoi) /* num_parse */
#undef atol
#define atol(s) BANNED(atol) /* num_parse */
#undef gmtime
#define gmtime(t) BANNED(gmtime) /* gmtime_r */
#undef localtime
#define localtime(t) BANNED(localtime) /* localtime_r */
#undef rand
#define rand() BANNED(rand) /* rand_bytes */
