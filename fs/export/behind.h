/* SPDX-License-Identifier: BSD-3-Clause */
/* behind.h - what other hosts have changed of a package since the index of this one looked. */
#ifndef PUBFS_BEHIND_H
#define PUBFS_BEHIND_H

#include <stddef.h>

struct pass;

/*
 * Asks the bucket again for what may have changed of these packages. One that it cannot be asked
 * for fails, and no other. Where another host exported last, that is two round trips more than
 * where this one did: what is recorded is a digest, which tells that it was another one, and not
 * what it left. To write without asking would be no faster: the condition fails, and then it is
 * asked, and written once more.
 */
void behind_look(struct pass *pass, char *const *names, size_t n);

#endif
