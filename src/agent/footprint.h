#pragma once
/*
 * Resident memory of an idle agent. It runs in every workspace, so that what it keeps resident is
 * paid for as often as there are workspaces on a machine.
 */

/*
 * Lets go of the program's pages that only starting it has touched, and brings back, from then on,
 * just the pages that are used, not their neighbours. Where the system cannot, nothing happens.
 */
void footprint_trim(void);
