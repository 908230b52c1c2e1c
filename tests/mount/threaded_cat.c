/* SPDX-License-Identifier: BSD-3-Clause */
/* threaded_cat.c - copies its input in one of many threads, which ends them all without closing. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 8

static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *copy(void *arg)
{
	char piece[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
		if (write(STDOUT_FILENO, piece, (size_t)n) != n)
			exit(1);
	exit(n < 0);
	return arg;
}

int main(void)
{
	pthread_t thread;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, idle, NULL))
			return 1;
	if (pthread_create(&thread, NULL, copy, NULL))
		return 1;
	idle(NULL);
}
