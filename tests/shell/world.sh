# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2034,SC2154 # what it sets, the tests use; what lib.sh sets
# world.sh - what a story stands on: a database of either kind and a bucket of any, each on a server
# of the test's own.
#
# A test sources it behind lib.sh. The commands find database and bucket by PUBFS_CONFIG. Those that
# write packages (intake COMMAND...) have a configuration of their own, since in PostgreSQL they are
# another role than the exporter, which may write none.

# shellcheck source=server.sh
. "$tests/shell/server.sh"

export PUBFS_HOME="$T/home"
export PUBFS_CONFIG="$T/pubfs.conf"
mkdir -p "$PUBFS_HOME"
: >"$PUBFS_CONFIG"
: >"$T/intake.conf"
database= # of PostgreSQL, as its owner; empty: it is SQLite

# configure LINE...: for the exporter and for those who write packages.
configure() {
	printf '%s\n' "$@" >>"$PUBFS_CONFIG"
	printf '%s\n' "$@" >>"$T/intake.conf"
}

as_role() { echo "$database" | sed "s|//[^@]*@|//$1@|"; } # the URL of another user

make_schema() { "$PUBFS" schema postgresql | psql -qX -v ON_ERROR_STOP=1 "$database"; }

# on_postgresql URL: the database is that one, of a server that is there, and gets schema and roles.
on_postgresql() {
	database=$1
	check "pubfs schema makes it" make_schema
	psql -qX -v ON_ERROR_STOP=1 "$database" >/dev/null -c "CREATE ROLE intake LOGIN" \
		-c "CREATE ROLE exporter LOGIN" -c "SELECT pubfs.grant_intake('intake')" \
		-c "SELECT pubfs.grant_export('exporter')"
	echo "db = $(as_role intake)" >>"$T/intake.conf"
	echo "db = $(as_role exporter)" >>"$PUBFS_CONFIG"
}

# The database is one of a private server.
use_postgresql() {
	serve db/postgresql_server
	on_postgresql "$url"
}

# The bucket is one of our own server of the GCS JSON API, which insists on every condition.
use_gcs() {
	serve gcs/gcs_server "bucket exports" "bucket canonical"
	configure "store = gs://exports" "archives = gs://canonical" "endpoint = $url"
}

# The bucket is one of fake-gcs-server, which others made.
use_fake_gcs() {
	serve gcs/fake_gcs_server
	configure "store = gs://exports" "archives = gs://canonical" "endpoint = $url"
	for bucket in exports canonical; do
		same "provision makes gs://$bucket" "gs://$bucket: made" \
			"$PUBFS" provision --store "gs://$bucket" --project pubfs-test
	done
}

intake() { # COMMAND [ARGUMENT...]
	intake_command=$1
	shift
	"$PUBFS" "$intake_command" --config "$T/intake.conf" "$@"
}

# sql STATEMENTS: as any program does it; in words that both databases take. Prints the rows.
sql() {
	if [ -n "$database" ]; then
		psql -qXAt -v ON_ERROR_STOP=1 -c "SET search_path = pubfs" -c "$1" "$database"
	else
		sqlite3 "$PUBFS_HOME/pub.db" "$1"
	fi
}
