#pragma once
/*
 * The command line of OpenSSH's client, as far as needed to see where its options end (ssh.c:
 * options, host, options, command).
 */

/*
 * How many words of argv[0..argc) the ssh option at its front takes: 1 or 2. 0: there is no
 * option, or none that every version of ssh takes alike.
 */
int ssh_args_option_words(int argc, char *const *argv);
/* How many of the words are such options, from the front. */
int ssh_args_options(int argc, char *const *argv);
