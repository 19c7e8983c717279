#!/usr/bin/env bash
# Tests the server as in a container: as PID 1, unprivileged, on a read-only file system.
#
#   deploy/box.sh
#
# Needs root, but no container engine: it runs the program of deploy/Dockerfile, with its variables and its user, in namespaces of its own, on files
# as Kubernetes mounts them from a ConfigMap. A second namespace, connected by a veth pair, sends the requests of probes and clients.
# Prints the results; exits with 1 if a check failed, 2 if a tool or the right to create namespaces is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

PATH=$PATH:/usr/sbin:/sbin
for tool in unshare nsenter setpriv chroot ip pgrep curl cargo; do
    command -v $tool >/dev/null || { echo "box.sh: $tool not found (util-linux, coreutils, iproute2, procps, curl)" >&2; exit 2; }
done
apart=(unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc)

if [ "${1:-}" != apart ]; then
    "${apart[@]}" true 2>/dev/null || { echo "box.sh: cannot create namespaces; run it as root" >&2; exit 2; }
    host=$(rustc --print host-tuple)
    RUSTFLAGS='-C target-feature=+crt-static' CARGO_TARGET_DIR=target/box \
        cargo build --quiet --locked --release --features content-hash,tls --bin threadbare --target "$host"
    # Mounts and processes in the namespaces end with them.
    work=$(mktemp -d)
    code=0
    "${apart[@]}" "$0" apart "$PWD/target/box/$host/release/threadbare" "$work" || code=$?
    rmdir "$work"
    exit $code
fi
program=$2
work=$3
user=$(sed -n 's/^USER //p' deploy/Dockerfile)
mapfile -t variables < <(grep -v '^#' deploy/Dockerfile | grep -oE 'THREADBARE_[A-Z_]+=[^ ]+')
variables+=(THREADBARE_ALLOW_HOST=www.example.com)

bad=0
wrong() { echo "  WRONG: $*"; bad=1; }
expect() { # actual, expected, description
    if [ "$1" = "$2" ]; then echo "  $3: $1"; else wrong "$3 is '$1' and not '$2'"; fi
}
until_so() { # repeats a command until it succeeds, for at most ten seconds
    for _ in $(seq 200); do "$@" && return; sleep 0.05; done
    wrong "not within 10 s: $*"
    cat log
    exit 1
}

mount -t tmpfs -o mode=755 tmpfs "$work"
cd "$work"
mkdir site root

# The layout of a ConfigMap: each name is a link through a link to a directory; only the latter changes.
version() { # name, text, time of the files
    mkdir "site/..$1"
    echo "$2" >"site/..$1/index.html"
    echo "the same" >"site/..$1/same.txt"
    touch --date "$3" "site/..$1"/*
    ln -s "..$1" site/..new
    mv --no-target-directory site/..new site/..data
}
version first "first version" "2026-01-01"
for name in index.html same.txt; do ln -s ..data/$name site/$name; done
head -c 67108864 /dev/zero >site/big

# The program and the files, all read-only.
mount -t tmpfs -o mode=755 tmpfs root
mkdir -p root/srv/www root/proc
cp "$program" root/threadbare
mount --bind site root/srv/www
mount -o remount,bind,ro root/srv/www
mount -o remount,ro root

mkfifo cable
# Root keeps the three capabilities that the last step needs: chroot, and changing user and group.
# shellcheck disable=SC2016 # the inner shell expands the variables
unshare --mount --net --pid --ipc --uts --fork --kill-child env --ignore-environment PATH="$PATH" user="$user" "${variables[@]}" bash -euc '
    mount -t proc proc root/proc
    read -r <cable
    ip link set lo up
    ip address add 10.9.0.2/24 dev box
    ip link set box up
    exec setpriv --inh-caps -all,+sys_chroot,+setuid,+setgid setpriv --bounding-set -all --no-new-privs \
        chroot --userspec "$user" --groups "${user#*:}" root /threadbare' >ready 2>log &
engine=$!
is_there() { box=$(pgrep --parent "$engine"); }
until_so is_there
ip link set lo up
ip link add node type veth peer name box netns "$box"
ip address add 10.9.0.1/24 dev node
ip link set node up
echo >cable
until_so grep -qs serving ready
address=10.9.0.2:8000

get() { curl --silent --show-error --max-time 30 "$@"; }
status() { get --output /dev/null --write-out '%{http_code}' "$@"; }
its() { sed -n "s/^$1:\t*//p" "/proc/$box/status" | tr '\t' ' '; }
health() { # the health check of a container engine; prints its exit code
    local code=0
    env --ignore-environment "${variables[@]}" nsenter --target "$box" --all --root --wd --setuid "${user%:*}" --setgid "${user#*:}" \
        /threadbare --check-health >health 2>&1 || code=$?
    echo $code
}

echo "Process:"
expect "$(its NSpid | awk '{print $NF}')" 1 "process"
expect "$(its Uid) $(its Gid)" "65532 65532 65532 65532 65532 65532 65532 65532" "user and group"
expect "$(its Groups | tr -d ' ')" 65532 "groups"
expect "$(its CapPrm) $(its CapEff) $(its CapBnd) $(its CapAmb)" "$(printf '0000000000000000 %.0s' 1 2 3 4 | sed 's/ $//')" "capabilities"
expect "$(its NoNewPrivs)" 1 "no new privileges"
for directory in / /srv/www; do
    expect "$(touch "/proc/$box/root$directory/written" 2>&1 | sed 's/.*: //')" "Read-only file system" "writing to $directory"
done

echo "Responses:"
expect "$(get http://$address/)" "first version" "a file of a ConfigMap"
expect "$(get --range 4-7 --write-out ' %{http_code}' http://$address/same.txt)" "same 206" "a range"
expect "$(status http://$address/health)" 200 "a probe, by address"
expect "$(status --header 'Host: www.example.com' http://$address/)" 200 "the allowed host"
expect "$(status --header 'Host: elsewhere.example' http://$address/)" 421 "another host"
expect "$(status --path-as-is http://$address/..data/same.txt)" 404 "the directory behind the links"
expect "$(health)" 0 "--check-health ($(cat health))"

echo "A ConfigMap changes:"
tag() { get --head "http://$address/$1" | tr -d '\r' | sed -n 's/^ETag: //p'; }
same=$(tag same.txt)
version second "second version" "2026-02-02"
expect "$(get http://$address/)" "second version" "the next request"
expect "$(tag same.txt)" "$same" "ETag of a file of which only the time changed"
expect "$(status --header "If-None-Match: $same" http://$address/same.txt)" 304 "If-None-Match with that ETag"

echo "Shutdown:"
get --limit-rate 32M --output download http://$address/big &
download=$!
has_begun() { [ -s download ]; }
until_so has_begun
kill -TERM "$box"
is_draining() { [ "$(status http://$address/health)" = 503 ]; }
until_so is_draining
expect "$(health)" 1 "--check-health ($(cat health))"
expect "$(get --head http://$address/same.txt | tr -d '\r' | sed -n 's/^Connection: //p')" close "Connection while draining"
code=0
wait $download || code=$?
expect "$code $(cmp site/big download && echo whole)" "0 whole" "a download in progress"
code=0
wait $engine || code=$?
expect $code 0 "exit code"

[ $bad = 0 ] && echo "all checks passed; the program has $(stat --format %s "$program") bytes"
exit $bad
