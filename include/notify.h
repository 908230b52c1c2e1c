/* SPDX-License-Identifier: BSD-3-Clause */
/* notify.h - what a service manager is told, by the protocol of sd_notify(3). */
#ifndef PUBFS_NOTIFY_H
#define PUBFS_NOTIFY_H

/* Such as "READY=1". Without NOTIFY_SOCKET nobody asks; a socket that cannot be told is a
 * warning. */
void notify_manager(const char *message);

#endif
