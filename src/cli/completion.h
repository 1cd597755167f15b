#pragma once
/* Completion scripts for shells, made from the command table. */
#include <stdio.h>

void completion_print_bash(FILE *f);
void completion_print_zsh(FILE *f);
void completion_print_fish(FILE *f);
