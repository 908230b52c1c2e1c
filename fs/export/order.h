/* SPDX-License-Identifier: BSD-3-Clause */
/* order.h - in which order the objects of a prefix come and go (spec, section 11). Pure. */
#ifndef PUBFS_ORDER_H
#define PUBFS_ORDER_H

/*
 * Objects are written in this order, each step whole before the next one begins, and removed in
 * the reverse one. So at no instant does a listing name an archive that is not there, nor is it
 * ahead of its advisories, and what its package has besides is never all that is left of it.
 */
enum order {
	ORDER_ARCHIVES,
	ORDER_ADVISORIES,
	ORDER_LISTINGS,
	ORDER_REST,
	ORDERS
};

/* Of any key: what lies below `api/archives/` is an archive, and what is of no kind the rest. */
enum order order_of(const char *key);

#endif
