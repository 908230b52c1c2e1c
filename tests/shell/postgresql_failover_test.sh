#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The server of the database goes away under load: connections are cut again and again, then it is
# killed, and its standby promoted. The updater goes on there, and nothing that was committed is lost.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"
# shellcheck source=cluster.sh
. "$tests/shell/cluster.sh"

replicate() {
	as_server mkdir "$clusters/second"
	as_server "$programs/pg_basebackup" -h "$clusters/first" -U pubfs_test -c fast \
		-D "$clusters/second/data" -R
}
promote() { as_server "$programs/pg_ctl" promote -w -D "$clusters/second/data"; }
first() { psql -qXAt -v ON_ERROR_STOP=1 -h "$clusters/first" -U pubfs_test postgres -c "$1"; }
make_cluster first >"$T/.said" 2>&1 || not_ok "initdb"
check "a server" start_cluster first
on_postgresql "$(cluster_url first,second pubfs_test)"
check "a copy of it" replicate
check "the copy runs, as a standby" start_cluster second
# what is committed is in both, so that a failover loses none of it
first "ALTER SYSTEM SET synchronous_standby_names = '*'"
first "SELECT pg_reload_conf()" >/dev/null
in_step() { [ "$(first "SELECT sync_state FROM pg_stat_replication")" = sync ]; }
check "in step with it" wait_until in_step

"$PUBFS" watch --base-url https://pub.example.com --runtime-version 2026.08.18 2>watch.log &
watcher=$!
own "$watcher"

# package NAME: committed, or it says that it is not known to be
package() {
	sql "INSERT INTO package (name) VALUES ('$1'); INSERT INTO package_version
		(package, version, pubspec) VALUES ('$1', '1.0.0', '{\"name\":\"$1\",\"version\":\"1.0.0\"}')"
}
# Packages a0, a1 and so on, as long as the file `writing` is there; those that were committed are in
# `committed`. One whose fate is not known is not tried again.
write_on() {
	n=0
	while [ -e writing ]; do
		package "a$n" 2>/dev/null && echo "a$n" >>committed
		n=$((n + 1))
	done
}
: >committed
: >writing
write_on &
writer=$!
own "$writer"
grown() { [ "$(wc -l <committed)" -ge "$1" ]; }
exported() { [ -e "$PUBFS_HOME/bucket/latest/api/packages/$1" ]; }
check "the updater is at work" wait_until exported a1

cut=0
while [ "$cut" -lt 15 ]; do # wherever in a pass it is just then
	before=$(wc -l <committed)
	first "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE application_name = 'pubfs'" >/dev/null 2>&1
	wait_until grown $((before + 1))
	cut=$((cut + 1))
done
check "meanwhile it has gone on" wait_until exported "$(tail -n 1 committed)"

before=$(wc -l <committed)
kill -QUIT "$(head -n 1 "$clusters/first/data/postmaster.pid")" # at once, as in a crash
check "the standby is promoted" promote
check "those who write go on there" wait_until grown $((before + 20))
rm writing
wait "$writer"
newest() { sql "SELECT count(*) FROM package"; }
all_exported() {
	while read -r package; do
		exported "$package" || return 1
	done <committed
	[ "$(find "$PUBFS_HOME/bucket/latest/api/packages" -maxdepth 1 -type f | wc -l)" -eq "$(newest)" ]
}
check "all that was committed, before and after, is exported" wait_until all_exported
check "by the updater that was there from the start" kill -TERM "$watcher"
check "it ends well" wait "$watcher"
