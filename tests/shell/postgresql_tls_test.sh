#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A connection to PostgreSQL over TLS, by the usual options of its URL: with the certificate of the
# right authority it works, and with a wrong one, a wrong name or none it is refused, and says why.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"
# shellcheck source=cluster.sh
. "$tests/shell/cluster.sh"

authority() { # NAME: a key and its own certificate
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem"
}
certificate() { # for localhost, by the authority that is right
	openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr &&
		echo subjectAltName=DNS:localhost >names &&
		openssl x509 -req -in server.csr -CA right.pem -CAkey right.key -CAcreateserial \
			-days 2 -extfile names -out server.crt
}
make_certificates() { authority right && authority wrong && certificate; }
check "certificates" make_certificates

make_cluster server >"$T/.said" 2>&1 || not_ok "initdb"
cp server.crt server.key "$clusters/server/data/"
chmod 600 "$clusters/server/data/server.key"
chown --reference="$clusters/server" "$clusters"/server/data/server.*
# whoever comes over the network comes over TLS
printf '%s\n' "local all all trust" "hostssl all all 127.0.0.1/32 trust" |
	as_server tee "$clusters/server/data/pg_hba.conf" >/dev/null
chosen() { # a port that nobody else has
	port=$(shuf -i 20000-59999 -n 1)
	start_cluster server -c listen_addresses=127.0.0.1 -c "port=$port" -c ssl=on
}
check "a server that speaks TLS" wait_until chosen

over_tls() { # HOST OPTION...: the URL, with options of the connection
	host=$1
	shift
	options=$(printf '&%s' "$@")
	echo "postgresql://exporter@/postgres?host=$host&hostaddr=127.0.0.1&port=$port$options"
}
on_postgresql "postgresql://pubfs_test@/postgres?host=$clusters/server&port=$port"
intake load - >/dev/null <<'J'
{"package":"oxygen","version":"1.0.0","published":"2026-01-01T00:00:00Z","pubspec":{"name":"oxygen","version":"1.0.0"}}
J
site="--base-url https://pub.example.com --runtime-version 2026.08.18"
# shellcheck disable=SC2086 # options
through() { "$PUBFS" sync $site --db "$(over_tls "$@")"; }

check "the right authority and name" through localhost sslmode=verify-full "sslrootcert=$T/right.pem"
fails "another authority" 3 "certificate verify failed" \
	through localhost sslmode=verify-full "sslrootcert=$T/wrong.pem"
fails "another name" 3 'certificate for "localhost".*does not match host name "elsewhere"' \
	through elsewhere sslmode=verify-full "sslrootcert=$T/right.pem"
check "another name, where only the authority counts" \
	through elsewhere sslmode=verify-ca "sslrootcert=$T/right.pem"
fails "no authority at all" 3 'none.pem" does not exist' \
	through localhost sslmode=verify-full "sslrootcert=$T/none.pem"
fails "without TLS, which the server insists on" 3 "no encryption" through localhost sslmode=disable
fails "a mode that is none" 3 'invalid sslmode value: "bogus"' through localhost sslmode=bogus

# shellcheck disable=SC2086
"$PUBFS" watch $site --db "$(over_tls localhost sslmode=verify-full "sslrootcert=$T/right.pem")" 2>watch.log &
watcher=$!
own "$watcher"
shows() { "$PUBFS" cat latest/api/packages/oxygen | grep -q "$1"; }
encrypted() {
	sql "SELECT count(*) FILTER (WHERE ssl) || ' of ' || count(*) FROM pg_stat_ssl
		NATURAL JOIN pg_stat_activity WHERE application_name = 'pubfs' AND usename = 'exporter'" |
		grep -v "^0" | grep -qx '\(.*\) of \1'
}
check "an updater's connections are all over TLS" wait_until encrypted
sql "UPDATE package SET discontinued = true"
check "and it is told of a change" wait_until shows isDiscontinued
kill -TERM "$watcher"
check "it ends well" wait "$watcher"
