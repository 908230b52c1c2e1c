# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2034,SC2154 # what it sets, the tests use; what lib.sh sets
# cluster.sh - PostgreSQL servers of a test's own that need more than tests/db/postgresql_server has:
# a certificate, or a standby. A test sources it behind lib.sh; it ends, skipped, where there is no
# PostgreSQL 15.

programs=/usr/lib/postgresql/15/bin
if [ ! -x "$programs/initdb" ]; then
	skip "a cluster" "there is no $programs/initdb: scripts/setup --tests installs it"
	exit 0
fi
clusters=$(mktemp -d /tmp/pubfs-clusters-XXXXXX) # a socket's path must be short
[ "$(id -u)" != 0 ] || chown 65534:65534 "$clusters"

# Ends them by the ids that they left in the folders where they run, and removes them.
end_clusters() {
	for data in "$clusters"/*/data; do
		id=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)
		[ "$(realpath "/proc/$id/cwd" 2>/dev/null)" != "$(realpath "$data")" ] || kill -QUIT "$id"
	done
	finish
	rm -rf "$clusters"
}
trap end_clusters EXIT

as_server() ( # COMMAND...: as the user whose servers they are
	cd "$clusters" || exit
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	else
		"$@"
	fi
)

# make_cluster NAME: its files are in `data` in the folder of that name, its socket beside it.
make_cluster() {
	as_server mkdir "$clusters/$1"
	as_server "$programs/initdb" -D "$clusters/$1/data" -U pubfs_test -A trust -N -E UTF8 --no-locale \
		--no-instructions
}

# start_cluster NAME [OPTION...]
start_cluster() {
	cluster=$1
	shift
	as_server "$programs/pg_ctl" start -s -w -D "$clusters/$cluster/data" -l "$clusters/$cluster/log" \
		-o "-k $clusters/$cluster -c listen_addresses= -c fsync=off $*"
}

# cluster_url NAME[,NAME...] USER: a connection to whichever of them may be written.
cluster_url() {
	hosts=$(echo "$1" | sed "s|[^,]*|$clusters/&|g")
	echo "postgresql://$2@/postgres?host=$hosts&target_session_attrs=read-write"
}
