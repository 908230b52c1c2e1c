# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154 # what lib.sh sets
# server.sh - servers of the tests' own. A test sources it behind lib.sh.

servers= # their ids, the youngest first

# serve PROGRAM [ARGUMENT...]: a server of tests/, such as db/postgresql_server, which prints its
# URL: $url; $server is its id. The test ends here, skipped, where this system has none (status 77).
serve() {
	serve_name=$1
	shift
	: >"$T/url"
	"${PUBFS%/*}/tests/$serve_name" "$@" >"$T/url" 2>"$T/.said" &
	server=$!
	wait_until serve_answered
	if [ ! -s "$T/url" ]; then
		wait "$server"
		if [ $? -eq 77 ]; then
			skip "$serve_name" "$(cat "$T/.said")"
		else
			not_ok "$serve_name starts"
		fi
		exit 0
	fi
	own "$server"
	servers="$server $servers"
	url=$(cat "$T/url")
}
serve_answered() { [ -s "$T/url" ] || ! kill -0 "$server" 2>/dev/null; }

# The servers end well; what still used them has failed.
stop_servers() {
	for server in $servers; do
		kill -TERM "$server"
		check "the server ends" wait "$server"
	done
}

# To a server of the GCS JSON API that answers at $url: lines that change how it behaves.
control() { curl -sf -o /dev/null --data-binary "$1" "$url/control"; }
# asked KIND...: how many requests of these kinds it has had since its last reset.
asked() {
	curl -sf "$url/control/counts" |
		awk -v kinds=" $* " 'index(kinds, " " $1 " ") { n += $2 } END { print n + 0 }'
}
was_asked() { test "$(asked "$1")" -ge "$2"; } # KIND COUNT: at least so often
