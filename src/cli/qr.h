#pragma once
/* QR codes in the terminal, two modules a character by half blocks (U+2580 and its kin). */
#include <stdbool.h>
#include <stdio.h>

/*
 * Prints the code of a text with its quiet zone. `colour`: the terminal takes colours, which make
 * the code dark on light whatever the terminal's own are; without, it is right on a dark one.
 * 0, or -EMSGSIZE: the text is too long for a code.
 */
int qr_print(FILE *f, const char *text, bool colour);
