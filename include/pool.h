/* SPDX-License-Identifier: BSD-3-Clause */
/* pool.h - a bounded number of threads that take jobs from a bounded queue. */
#ifndef PUBFS_POOL_H
#define PUBFS_POOL_H

#include "compiler.h"

struct pool;

/* 1 to 1,024 threads. -EAGAIN: the system has no more threads (said). */
int pool_new(unsigned threads, struct pool **ret) MUST_CHECK;
/* Waits while twice as many jobs are queued as there are threads. The job owns ctx. */
void pool_run(struct pool *pool, void (*job)(void *ctx), void *ctx);
/* Returns when every job that was handed over is done. */
void pool_wait(struct pool *pool);
void pool_free(struct pool *pool); /* waits first */

#endif
