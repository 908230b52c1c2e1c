/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.c - a bounded number of threads that take jobs from a bounded queue.
 *
 * The queue is a ring of 2 x threads jobs. `lock` guards everything in struct pool but `threads`.
 *	work	there is a job, or the end
 *	room	the ring has room again
 *	idle	nothing is queued and nothing runs
 */
#include "pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "memory.h"

struct job {
	void (*run)(void *ctx);
	void *ctx;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work, room, idle;
	struct job *ring;
	size_t size, first, queued, running;
	bool ending;
	pthread_t *threads;
	unsigned n_threads;
};

static void *worker(void *arg)
{
	struct pool *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct job job;

		while (!p->queued && !p->ending)
			pthread_cond_wait(&p->work, &p->lock);
		if (!p->queued)
			break;
		job = p->ring[p->first];
		p->first = (p->first + 1) % p->size;
		p->queued--;
		p->running++;
		pthread_cond_signal(&p->room);
		pthread_mutex_unlock(&p->lock);
		job.run(job.ctx);
		pthread_mutex_lock(&p->lock);
		p->running--;
		if (!p->queued && !p->running)
			pthread_cond_broadcast(&p->idle);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int pool_new(unsigned threads, struct pool **ret)
{
	struct pool *p;

	assert(threads >= 1 && threads <= 1024);
	p = xcalloc(1, sizeof(*p));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->room, NULL);
	pthread_cond_init(&p->idle, NULL);
	p->size = 2 * (size_t)threads;
	p->ring = xcalloc(p->size, sizeof(*p->ring));
	p->threads = xcalloc(threads, sizeof(*p->threads));
	for (; p->n_threads < threads; p->n_threads++) {
		int error = pthread_create(&p->threads[p->n_threads], NULL, worker, p);

		if (error) {
			pool_free(p);
			return fail(-EAGAIN, "cannot start a thread: %s", strerror(error));
		}
	}
	*ret = p;
	return 0;
}

void pool_run(struct pool *p, void (*job)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&p->lock);
	while (p->queued == p->size)
		pthread_cond_wait(&p->room, &p->lock);
	p->ring[(p->first + p->queued) % p->size] = (struct job){ job, ctx };
	p->queued++;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

void pool_wait(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	while (p->queued || p->running)
		pthread_cond_wait(&p->idle, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->idle);
	pthread_cond_destroy(&p->room);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p->ring);
	free(p);
}
