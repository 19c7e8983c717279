#!/usr/bin/env bash
# Tests that every request is answered behind a load balancer, also while servers restart.
#
#   deploy/check.sh [RESTARTS]      RESTARTS of one server on a socket that stays open (default: 100)
#
# Runs two replicas behind HAProxy with the configuration of this directory, on unused loopback addresses; a client (deploy/load.rs) counts the
# requests that are not answered at the first attempt. Prints the counts; exits with 1 if a request failed unexpectedly, 2 if a tool is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

restarts=${1:-100}
for tool in haproxy curl cargo; do
    command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || { echo "check.sh: $tool not found" >&2; exit 2; }
done
PATH=$PATH:/usr/sbin:/sbin

cargo build --quiet --locked --release --bin threadbare
cargo build --quiet --locked --example load
threadbare=$PWD/target/release/threadbare
load=$PWD/target/debug/examples/load

work=$(mktemp -d)
declare -A pid=()
finish() {
    exec 2>/dev/null
    for name in "${!pid[@]}"; do kill -KILL "${pid[$name]}" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT

# Each run has addresses of its own, so that the ports of the files can be used.
here=127.$((RANDOM % 200 + 30)).$((RANDOM % 250)).$((RANDOM % 250 + 2))
mkdir "$work/site"
printf 0123456789 >"$work/site/ten.txt"
head -c 33554432 /dev/zero >"$work/site/big"
printf '<!doctype html><title>page</title>%01000d' 0 >"$work/site/page.html"
gzip -k "$work/site/page.html"
# A compressed file counts as complete once nothing was written to it for two seconds.
touch -d '1 minute ago' "$work/site/page.html" "$work/site/page.html.gz"

bad=0
wrong() { echo "  WRONG: $*"; bad=1; }
expect() { # actual, expected, description
    if [ "$1" = "$2" ]; then echo "  $3: $1"; else wrong "$3 is '$1' and not '$2'"; fi
}
until_so() { # repeats a command until it succeeds, for at most ten seconds
    for _ in $(seq 200); do "$@" && return; sleep 0.05; done
    wrong "not within 10 s: $*"
    tail -n 5 "$work"/*.log
    exit 1
}

replica() { # name, port, more options: starts it and waits until it is ready
    local name=$1 port=$2
    shift 2
    "$threadbare" --port "$port" --bind "$here" --trust-proxy 127.0.0.1 --precompressed --drain 3 "$@" "$work/site" \
        >"$work/$name.ready" 2>>"$work/$name.log" &
    pid[$name]=$!
    until_so grep -qs serving "$work/$name.ready"
}
ended() { # name, exit code that is expected
    local code=0
    wait "${pid[$1]}" 2>/dev/null || code=$?
    unset "pid[$1]"
    expect "$code" "$2" "exit code of replica $1"
}
balancer() { # file, what sed changes in it besides the addresses
    sed -e "s/127\.0\.0\.1:/$here:/; s/\*:/$here:/" -e "${2:-}" "deploy/$1" >"$work/haproxy.cfg"
    haproxy -db -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 &
    pid[haproxy]=$!
    until_so is_served "$here:8080"
}
no_balancer() {
    kill -TERM "${pid[haproxy]}"
    wait "${pid[haproxy]}" 2>/dev/null || true
    unset 'pid[haproxy]'
}
get() { curl --silent --show-error --max-time 20 --header 'Host: localhost' "$@"; }
is_served() { [ "$(get --output /dev/null --write-out '%{http_code}' "http://$1/ten.txt" 2>/dev/null)" = 200 ]; }
# How often HAProxy has reported a state of a replica: each change is a line.
said() { grep -c "Server threadbare/$1 is $2" "$work/haproxy.log" || true; }
has_said() { [ "$(said "$1" "$2")" -gt "$3" ]; }
again() { # name, port, more options: starts it once HAProxy has seen that it is gone, and waits until HAProxy has seen that it is back
    until_so has_said "$1" DOWN "$((downs - 1))"
    replica "$@"
    until_so has_said "$1" UP "$((downs - 1))"
}
load_begins() {
    "$load" "$here:8080" /ten.txt >"$work/load" 2>"$work/load.told" &
    pid[load]=$!
    sleep 1
}
load_ends() { # what happened meanwhile
    kill -TERM "${pid[load]}"
    wait "${pid[load]}" || wrong "requests failed"
    unset 'pid[load]'
    cat "$work/load.told"
    echo "  $1: $(cat "$work/load")"
}
downloads() { # four slow ones, which two replicas share
    for number in 1 2 3 4; do
        get --limit-rate 8M --output "$work/download.$number" "http://$here:8080/big" 2>/dev/null &
        pid[download$number]=$!
    done
    sleep 0.5
}
count_downloads() { # into `whole`: how many came whole
    whole=0
    for number in 1 2 3 4; do
        if wait "${pid[download$number]}" && cmp -s "$work/site/big" "$work/download.$number"; then whole=$((whole + 1)); fi
        unset "pid[download$number]"
    done
}

echo "HAProxy reads HTTP (haproxy.cfg):"
replica a 8001
replica b 8002
balancer haproxy.cfg
front=http://$here:8080
expect "$(get "$front/ten.txt")" 0123456789 "a file"
expect "$(get --head "$front/ten.txt" | tr -d '\r' | grep -i ^content-length)" "content-length: 10" "HEAD"
expect "$(get --range 2-4 --write-out ' %{http_code}' "$front/ten.txt")" "234 206" "a range"
expect "$(get --range 20- --output /dev/null --write-out '%{http_code}' "$front/ten.txt")" 416 "a range beyond the end"
etags=$(for _ in 1 2 3 4; do get --head "$front/ten.txt" | grep -i ^etag; done | sort -u | tr -d '\r')
expect "$(echo "$etags" | wc -l)" 1 "ETags of two replicas"
expect "$(get --header "If-None-Match: ${etags#*: }" --output /dev/null --write-out '%{http_code}' "$front/ten.txt")" 304 "the same ETag again"
expect "$(get --head --header 'Accept-Encoding: gzip' "$front/page.html" | tr -d '\r' | grep -iE '^(vary|content-encoding)' | sort | paste -sd' ')" \
    "content-encoding: gzip vary: Accept-Encoding" "a page in gzip"
expect "$(get --head "$front/page.html" | tr -d '\r' | grep -iE '^(vary|content-encoding)')" "vary: Accept-Encoding" "and without"
echoed=$(get --interface 127.0.0.9 --header 'X-Forwarded-For: 192.0.2.7' --header 'Forwarded: for=192.0.2.8' "$front/echo")
expect "$(echo "$echoed" | grep '^client')" "client: 127.0.0.9" "the client, whatever it says itself"
until_so grep -q '^127\.0\.0\.9 .*GET /echo' "$work/a.log" "$work/b.log"
echo "  the log names it"

echo "Two replicas are started again, one after the other, under load:"
load_begins
downloads
for name in a b; do
    kill -TERM "${pid[$name]}"
    sleep 0.2
    port=$([ $name = a ] && echo 8001 || echo 8002)
    health=$(get --write-out ' %{http_code}' "http://$here:$port/health" | tr -d '\n')
    expect "$health" "stopping 503" "/health of replica $name, which still accepts"
    ended $name 0
    downs=1 again $name "$port"
done
count_downloads
expect "$whole" 4 "slow downloads that came whole"
load_ends "rolling restart"

echo "A replica is killed under load:"
load_begins
downloads
mine=$({ find "/proc/${pid[a]}/fd" -lname "$work/site/big" 2>/dev/null || true; } | wc -l) # Descriptors come and go while find looks.
kill -KILL "${pid[a]}"
ended a 137
downs=2 again a 8001
count_downloads
expect "$whole" $((4 - mine)) "slow downloads that came whole, of four, $mine of them from that replica"
load_ends "SIGKILL"
no_balancer
for name in a b; do kill -TERM "${pid[$name]}"; done
for name in a b; do ended $name 0; done

for version in 1 2; do
    echo "HAProxy passes TCP on, with the PROXY protocol in version $version (haproxy-tcp.cfg):"
    replica a 8001 --proxy-protocol
    replica b 8002 --proxy-protocol
    balancer haproxy-tcp.cfg "$([ $version = 1 ] && echo 's/send-proxy-v2 /send-proxy /')"
    echoed=$(get --interface 127.0.0.9 "$front/echo" | grep '^peer')
    expect "${echoed%:*}" "peer: 127.0.0.9" "the client"
    load_begins
    for name in a b; do
        kill -TERM "${pid[$name]}"
        ended $name 0
        downs=1 again $name "$([ $name = a ] && echo 8001 || echo 8002)" --proxy-protocol
    done
    load_ends "rolling restart"
    expect "$(cat "$work"/[ab].log | grep -c 'no header of the PROXY protocol')" 0 "connections without a header"
    no_balancer
    for name in a b; do kill -TERM "${pid[$name]}"; done
    for name in a b; do ended $name 0; done
done

echo "A socket in the file system:"
replica a 8001 --bind "unix:$work/socket" --trust-proxy unix
balancer haproxy.cfg "s|server a .*|server a unix@$work/socket|; /server b/d"
echoed=$(get --interface 127.0.0.9 "$front/echo" | grep -E '^(peer|client)' | paste -sd' ')
expect "$echoed" "peer: unix: client: 127.0.0.9" "the client"
expect "$(get "$front/big" | cmp - "$work/site/big" && echo whole)" whole "32 MiB"
no_balancer
kill -TERM "${pid[a]}"
ended a 0
expect "$(ls "$work" | grep -c '^socket$' || true)" 0 "sockets left behind"

echo "One server is started again $restarts times, on a socket that stays, with --drain 1 as in threadbare.service:"
if said=$("$load" --restarts "$restarts" /ten.txt "$threadbare" --quiet --drain 1 "$work/site" 2>"$work/handed"); then
    echo "  $said"
else
    grep '^load:' "$work/handed" || true
    wrong "$said"
fi
# Without --drain a client that sends a request more than 100 ms after its last response may find the connection closed, which HTTP allows.
echo "And without --drain, where failed requests are allowed:"
echo "  $("$load" --restarts "$restarts" /ten.txt "$threadbare" --quiet "$work/site" 2>/dev/null || true)"

[ $bad = 0 ] && echo "nothing failed that should not have"
exit $bad
