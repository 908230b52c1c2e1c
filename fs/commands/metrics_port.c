/* SPDX-License-Identifier: BSD-3-Clause */
/* metrics_port.c - metrics to be fetched by HTTP, at /metrics of an address of this host. */
#include "metrics_port.h"

#include <config.h>

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_METRICS
#include <microhttpd.h>
#endif

#include "log.h"
#include "memory.h"
#include "report.h"
#include "strbuf.h"

int metrics_port_parse(const char *text, struct sockaddr_storage *ret)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
					.ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
	bool bracketed = colon && *text == '[' && colon > text && colon[-1] == ']';
	CLEANUP(free_char)
	char *host = !colon    ? xstrdup("127.0.0.1")
		     : bracketed ? xstrndup(text + 1, (size_t)(colon - text) - 2)
				 : xstrndup(text, (size_t)(colon - text));
	struct addrinfo *found;

	if (!*port || strspn(port, "0123456789") != strlen(port) || strlen(port) > 5 ||
	    strtol(port, NULL, 10) > 65535 || (!bracketed && strchr(host, ':')))
		return -EINVAL;
	if (getaddrinfo(host, port, &hints, &found))
		return -EINVAL;
	memcpy(ret, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

#ifdef HAVE_METRICS

#define TYPE	       "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define IDLE_SECONDS   10u
#define CONNECTIONS_MAX 16u

struct metrics_port {
	int (*text)(void *ctx, struct strbuf *out);
	void *ctx;
	struct MHD_Daemon *daemon;
};

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type,
			    const struct strbuf *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		text->len, text->buf, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	r = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (r == MHD_YES)
		r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *why)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(1024);

	strbuf_addf(&text, "%s\n", why);
	return reply(connection, status, "text/plain", &text);
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **state)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(REPORT_MAX);
	const struct metrics_port *port = ctx;

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)state;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "metrics are only read");
	if (strcmp(url, "/metrics") != 0)
		return refuse(connection, MHD_HTTP_NOT_FOUND, "there is only /metrics");
	if (port->text(port->ctx, &text) < 0)
		return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "the log says why");
	return reply(connection, MHD_HTTP_OK, TYPE, &text);
}

int metrics_port_open(const char *address, int (*text)(void *ctx, struct strbuf *out), void *ctx,
		      struct metrics_port **ret)
{
	struct metrics_port *port;
	struct sockaddr_storage at;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
	int r = metrics_port_parse(address, &at);

	if (r < 0)
		return r;
	port = xcalloc(1, sizeof(*port));
	port->text = text;
	port->ctx = ctx;
	if (at.ss_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	port->daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, port, MHD_OPTION_SOCK_ADDR,
					&at, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
					MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
					MHD_OPTION_END);
	if (!port->daemon) {
		r = fail(-EIO, "cannot serve metrics at %s: %s", address,
			 errno ? strerror(errno) : "libmicrohttpd does not say why");
		free(port);
		return r;
	}
	log_info("metrics are at port %u",
		 (unsigned)MHD_get_daemon_info(port->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	*ret = port;
	return 0;
}

void metrics_port_close(struct metrics_port *port)
{
	if (!port)
		return;
	MHD_stop_daemon(port->daemon);
	free(port);
}

#else

int metrics_port_open(const char *address, int (*text)(void *ctx, struct strbuf *out), void *ctx,
		      struct metrics_port **ret)
{
	(void)text;
	(void)ctx;
	(void)ret;
	return fail(-EIO, "cannot serve metrics at %s: this pubfs was built without libmicrohttpd",
		    address);
}

void metrics_port_close(struct metrics_port *port)
{
	(void)port;
}

#endif
