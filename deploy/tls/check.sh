#!/usr/bin/env bash
# Tests that HTTP semantics, client address and scheme survive a TLS proxy in front.
#
#   deploy/tls/check.sh
#
# Uses HAProxy, nginx and Caddy, where installed, with the files of this directory. `as_haproxy` and so on change in them the addresses, the
# ports, the certificate (of a temporary authority), and enable Strict-Transport-Security.
# Prints a table and the log lines; exits with 1 if a check failed, 2 if a tool or every proxy is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin

for tool in curl openssl cargo; do
    command -v "$tool" >/dev/null || { echo "tls/check.sh: no $tool here" >&2; exit 2; }
done
curl --version | grep -qw HTTP2 || { echo "tls/check.sh: this curl cannot speak HTTP/2" >&2; exit 2; }
cargo build --quiet --locked --release --bin threadbare
threadbare=${CARGO_TARGET_DIR:-$PWD/target}/release/threadbare

work=$(mktemp -d)
# nginx, started as root, runs its workers as another user, which must be able to reach the socket.
chmod 711 "$work"
declare -A pid=() result=()
columns=()
rows=()
finish() {
    exec 2>/dev/null
    set +e
    if [ ${#pid[@]} != 0 ]; then
        # SIGKILL would leave the workers of nginx running.
        kill -TERM "${pid[@]}"
        for _ in $(seq 40); do kill -0 "${pid[@]}" && sleep 0.05; done
        kill -KILL "${pid[@]}"
    fi
    rm -rf "$work"
}
trap finish EXIT

bad=0
row() { # what, what is, what should be
    [ -n "${result[$1]-}" ] || rows+=("$1")
    if [ "$2" = "$3" ]; then
        result[$1]+="ok "
    else
        result[$1]+="WRONG "
        bad=1
        echo "  WRONG: $column: $1: '$2' and not '$3'"
    fi
}
not_tried() { # what
    [ -n "${result[$1]-}" ] || rows+=("$1")
    result[$1]+="- "
}
until_so() { # a command that is tried until it succeeds, for at most ten seconds
    for _ in $(seq 200); do "$@" && return; sleep 0.05; done
    echo "  WRONG: not within 10 s: $*"
    tail -n 5 "$work"/*.log
    exit 1
}
free_port() { # a port without a listener, on this address and on all addresses
    local port
    while :; do
        port=$((RANDOM % 10000 + 20000))
        (exec 3<>"/dev/tcp/$here/$port") 2>/dev/null || (exec 3<>"/dev/tcp/::1/$port") 2>/dev/null || { echo $port; return; }
    done
}

site=$work/site
mkdir -p "$site/docs"
printf 0123456789 >"$site/ten.txt"
head -c 8388608 /dev/urandom >"$site/big"
printf '<!doctype html><title>page</title>%01000d' 0 >"$site/page.html"
gzip -k "$site/page.html"
cp "$site/page.html" "$site/plain.html"
# A file just written has a weak ETag: it could change again within the same tick of the clock.
touch -d '2020-01-02 03:04:05 UTC' "$site"/*
# Longer than the buffers of the proxies; text, which /echo returns unchanged.
head -c 45000 /dev/urandom | base64 -w 0 >"$work/upload"

certify() { # an authority, and by it a certificate of www.example.com
    cd "$work"
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj "/CN=made on the spot" -keyout ca.key -out ca.pem \
        -addext "keyUsage=critical,keyCertSign" 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -subj "/CN=www.example.com" -keyout site.key -out site.csr 2>/dev/null
    printf '%s\n' "subjectAltName=DNS:www.example.com,DNS:localhost" "basicConstraints=CA:FALSE" "extendedKeyUsage=serverAuth" >extensions
    openssl x509 -req -in site.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile extensions -out site.crt 2>/dev/null
    cat site.crt site.key >site.pem
}
(certify)

has_ipv6=$([ -e /proc/sys/net/ipv6/conf/lo/disable_ipv6 ] && [ "$(cat /proc/sys/net/ipv6/conf/lo/disable_ipv6)" = 0 ] && echo yes || true)
[ -n "$has_ipv6" ] || echo "SKIPPED: no IPv6 here, so nothing is known about clients that come by it" >&2
six() { [ -n "$has_ipv6" ] && echo "s/$1/[::1]:/" || echo "/$1/d"; }

as_haproxy() {
    sed -e "s/bind \*:443/bind $here:$https/; s/bind \*:80/bind $here:$http/; $(six 'bind :::443' | sed 's/\[::1\]:/bind ::1:'"$https"'/')" \
        -e "$(six 'bind :::80' | sed 's/\[::1\]:/bind ::1:'"$http"'/')" \
        -e "s|/etc/haproxy/www.example.com.pem|$work/site.pem|; s/127.0.0.1:8000/$origin/; s/#http-response/http-response/" \
        deploy/tls/haproxy.cfg >"$work/haproxy.cfg"
    haproxy -db -f "$work/haproxy.cfg" >"$work/proxy.log" 2>&1 &
}
as_nginx() { # the file belongs into a larger one; this is what Debian's says that matters here
    local temp
    sed -e "s/listen 443/listen $here:$https/; s/listen 80/listen $here:$http/; $(six 'listen \[::\]:443' | sed 's/\[::1\]:/listen [::1]:'"$https"'/')" \
        -e "$(six 'listen \[::\]:80' | sed 's/\[::1\]:/listen [::1]:'"$http"'/')" \
        -e "s|/etc/ssl/www.example.com.crt|$work/site.crt|; s|/etc/ssl/private/www.example.com.key|$work/site.key|" \
        -e "s|server unix:/run/threadbare/http.sock;|server $origin;|; s/#add_header/add_header/" deploy/tls/nginx.conf >"$work/nginx-site.conf"
    {
        echo "daemon off; pid $work/nginx.pid; events {} http { gzip on; access_log off; include $work/nginx-site.conf;"
        for temp in client_body proxy fastcgi uwsgi scgi; do echo "${temp}_temp_path $work/nginx-$temp;"; done
        echo "}"
    } >"$work/nginx.conf"
    nginx -e stderr -c "$work/nginx.conf" >"$work/proxy.log" 2>&1 &
}
as_caddy() {
    {
        # No public certificate authority is used. With two addresses Caddy 2.6 redirects on one of them only, so there is one.
        printf '{\nadmin off\nauto_https disable_certs\nhttp_port %s\nhttps_port %s\ndefault_bind %s\n}\n' "$http" "$https" "$here"
        sed -e "s|#tls .*|tls $work/site.crt $work/site.key|; s/#header/header/; s/127.0.0.1:8000/$origin/" deploy/tls/Caddyfile
    } >"$work/Caddyfile"
    XDG_DATA_HOME=$work/caddy XDG_CONFIG_HOME=$work/caddy caddy run --adapter caddyfile --config "$work/Caddyfile" >"$work/proxy.log" 2>&1 &
}

bare() { curl --silent --show-error --max-time 20 --noproxy '*' "$@"; }
# All names resolve to this machine; requests come from an address of their own.
ask() {
    bare --http2 --cacert "$work/ca.pem" --interface "${from-127.0.0.9}" --connect-to ":443:${at-$here}:$https" --connect-to ":80:${at-$here}:$http" "$@"
}
page=https://www.example.com
told() { # what of a request: the rest are curl's own words
    local what=$1
    shift
    ask --output /dev/null --write-out "$what" "$@"
}
field() { # name, the rest is curl's
    local name=$1
    shift
    ask --dump-header - --output /dev/null "$@" | tee -a "$work/heads" | tr -d '\r' | sed -n "s/^$name: //Ip"
}
direct() { bare --header 'Host: www.example.com' "${origin_at[@]}" "$@"; }
handshake() { # what s_client makes of a handshake with these options
    local said
    said=$(openssl s_client -connect "$here:$https" -servername www.example.com "$@" </dev/null 2>&1) && { echo taken; return; }
    echo "$said" | grep -oE 'alert (protocol version|handshake failure)' | head -n 1 || echo "$said" | tail -n 3
}
accepted() { direct "$direct_url/metrics" | sed -n 's/^threadbare_connections_accepted_total //p'; }

check_tls() {
    row "the certificate is verified" "$(told '%{ssl_verify_result} %{http_code}' "$page/ten.txt")" "0 200"
    row "a client without the authority rejects it" "$(bare --connect-to ":443:$here:$https" "$page/" >/dev/null 2>&1 || echo $?)" 60
    row "HTTP/2 is used" "$(told '%{http_version}' "$page/ten.txt")" 2
    row "HTTP/1.1 for a client without HTTP/2" "$(told '%{http_version}' --http1.1 "$page/ten.txt")" 1.1
    row "TLS 1.3 is accepted" "$(handshake -tls1_3)" taken
    row "TLS 1.2 is accepted" "$(handshake -tls1_2)" taken
    row "TLS 1.1 is rejected" "$(handshake -tls1_1 -cipher DEFAULT@SECLEVEL=0)" "alert protocol version"
    row "TLS 1.2 without an ephemeral key is rejected" "$(handshake -tls1_2 -cipher AES128-GCM-SHA256)" "alert handshake failure"
    row "http is redirected to https" "$(told '%{redirect_url}' "http://www.example.com/ten.txt?a=b")" "$page/ten.txt?a=b"
    row "the redirect leads to the file" "$(ask --location "http://www.example.com/ten.txt")" 0123456789
    row "Strict-Transport-Security, once enabled" "$(field strict-transport-security "$page/ten.txt")" max-age=31536000
}

check_content() {
    local tag code
    row "GET: 8 MiB, byte for byte" "$(ask "$page/big" | cmp - "$site/big" && echo same)" same
    row "HEAD: the length, no body" "$(told '%{http_code} %header{content-length} %{size_download}' --head "$page/big")" "200 8388608 0"
    row "Range: 206" "$(ask --range 2-4 --write-out ' %{http_code} %header{content-range}' "$page/ten.txt")" "234 206 bytes 2-4/10"
    row "Range beyond the end: 416" "$(told '%{http_code} %header{content-range}' --range 20- "$page/ten.txt")" "416 bytes */10"
    tag=$(direct --head "$direct_url/ten.txt" | tr -d '\r' | sed -n 's/^etag: //Ip')
    row "ETag of threadbare" "$(field etag "$page/ten.txt")" "$tag"
    row "the ETag is strong" "${tag:0:1}" '"'
    row "If-None-Match: 304" "$(told '%{http_code} %{size_download} %header{etag}' --header "If-None-Match: $tag" "$page/ten.txt")" "304 0 $tag"
    row "If-Modified-Since: 304" "$(told '%{http_code}' --time-cond "$site/ten.txt" "$page/ten.txt")" 304
    row "If-Match of another version: 412" "$(told '%{http_code}' --header 'If-Match: "other"' "$page/ten.txt")" 412
    row "If-Range of this version: the part" "$(ask --range 2-4 --header "If-Range: $tag" "$page/ten.txt")" 234
    row "If-Range of another version: the whole file" "$(ask --range 2-4 --header 'If-Range: "other"' "$page/ten.txt")" 0123456789
    code=$(ask --header 'Accept-Encoding: gzip' "$page/page.html" | gzip -dc | cmp - "$site/page.html" && echo same)
    row "--precompressed: the gzip file, unchanged" "$code $(field content-encoding --header 'Accept-Encoding: gzip' "$page/page.html")" "same gzip"
    row "Vary: Accept-Encoding" "$(field vary --header 'Accept-Encoding: gzip' "$page/page.html")" Accept-Encoding
    tag=$(direct --head "$direct_url/page.html" | tr -d '\r' | sed -n 's/^etag: //Ip')
    row "without gzip for other clients, same ETag" "$(field etag "$page/page.html")$(field content-encoding "$page/page.html")" "$tag"
    tag=$(direct --head "$direct_url/plain.html" | tr -d '\r' | sed -n 's/^etag: //Ip')
    row "the proxy does not compress: same ETag" "$(field etag --header 'Accept-Encoding: gzip' "$page/plain.html")" "$tag"
    row "the redirect to the slash has no scheme" "$(field location "$page/docs")" docs/
    row "no Age field" "$(grep -ci '^age:' "$work/heads" || true)" 0
}

echoed() { # what /echo shows of an upload after its fields
    ask --header 'Content-Type: text/plain' "$@" "$page/echo" | tail -n 1 | cmp - "$work/upload" && echo same
}
check_uploads() {
    row "an upload of 60,000 bytes" "$(echoed --upload-file "$work/upload")" same
    row "an upload of unknown length" "$(echoed --upload-file - <"$work/upload")" same
    row "the same in HTTP/1.1, chunked" "$(echoed --http1.1 --upload-file - <"$work/upload")" same
}

logged() { # what is logged of a target, once it is
    until_so grep -q "\"target\":\"$1\"" "$work/access"
    grep "\"target\":\"$1\"" "$work/access" | grep -oE '"client":.*"method"' | sed 's/,"method"//'
}
check_log() {
    local before after
    ask "$page/ten.txt?plain" >/dev/null
    row "the log has the client and https" "$(logged '/ten.txt?plain')" '"client":"127.0.0.9","scheme":"https"'
    ask --header 'X-Forwarded-For: 192.0.2.7' --header 'X-Forwarded-Proto: http' --header 'Forwarded: for=192.0.2.8;proto=http' \
        "$page/ten.txt?forged" >/dev/null
    row "also if the client sends forged fields" "$(logged '/ten.txt?forged')" '"client":"127.0.0.9","scheme":"https"'
    ask --http1.1 --header 'X-Forwarded-For: 192.0.2.7, 127.0.0.1' --header 'Connection: X-Forwarded-For' --header 'x-forwarded-proto: http' \
        "$page/ten.txt?again" >/dev/null
    row "also if it asks the proxy to remove fields" "$(logged '/ten.txt?again')" '"client":"127.0.0.9","scheme":"https"'
    row "no forged address in the log" "$(grep -c '192\.0\.2\.' "$work/access" || true)" 0
    if [ -n "$has_ipv6" ] && [ "$column" != Caddy ]; then
        from=::1 at=[::1] ask "$page/ten.txt?six" >/dev/null
        row "a client over IPv6" "$(logged '/ten.txt?six')" '"client":"::1","scheme":"https"'
    else
        not_tried "a client that comes by IPv6"
    fi
    before=$(accepted)
    ask --output /dev/null "$page/ten.txt?n=[1-50]"
    after=$(accepted)
    # One of them is that of the second query.
    row "50 requests: at most 4 connections" "$((after - before <= 4 ? 1 : after - before))" 1
}

replica() { # options for its address; sets `origin` for the proxy, and `direct` sends requests without a proxy
    rm -f "$work/access" "$work/heads" "$work/ready"
    # With this mask any user may connect to its socket.
    (umask 111 && exec "$threadbare" "$@" --allow-host www.example.com --precompressed --metrics --log-format json --access-log "$work/access" "$site") \
        >"$work/ready" 2>"$work/threadbare.log" &
    pid[threadbare]=$!
    until_so grep -qs serving "$work/ready"
}
ends() {
    local name
    for name in proxy threadbare; do
        kill -TERM "${pid[$name]}"
        wait "${pid[$name]}" 2>/dev/null || true
        unset "pid[$name]"
    done
}
is_served() { [ "$(told '%{http_code}' "$page/ten.txt" 2>/dev/null)" = 200 ]; }
try() { # proxy, how it is called in the table, `socket` or nothing
    local proxy=$1
    column=$2
    command -v "$proxy" >/dev/null || { echo "SKIPPED: no $proxy here, so nothing is known about deploy/tls for it" >&2; return; }
    columns+=("$column")
    http=$(free_port)
    https=$(free_port)
    if [ "${3-}" = socket ]; then
        replica --bind "unix:$work/threadbare.sock" --trust-proxy unix
        origin=unix:$work/threadbare.sock
        origin_at=(--unix-socket "$work/threadbare.sock")
        direct_url=http://www.example.com
    else
        replica --port 0 --bind 127.0.0.1 --trust-proxy 127.0.0.1
        origin=$(grep -oE '127\.0\.0\.1:[0-9]+' "$work/ready")
        origin_at=()
        direct_url=http://$origin
    fi
    "as_$proxy"
    pid[proxy]=$!
    until_so is_served
    check_tls
    check_content
    check_uploads
    check_log
    shown+="$column:"$'\n'"$(grep -E '\?(plain|six)"' "$work/access")"$'\n'
    ends
}

# Each run has an address of its own.
here=127.$((RANDOM % 200 + 30)).$((RANDOM % 250)).$((RANDOM % 250 + 2))
shown=
try haproxy HAProxy
try nginx nginx
try nginx nginx-socket socket
try caddy Caddy
[ ${#columns[@]} != 0 ] || { echo "tls/check.sh: neither haproxy nor nginx nor caddy is here" >&2; exit 2; }

printf '%-48s' ""
printf '%-14s' "${columns[@]}"
echo
for what in "${rows[@]}"; do
    printf '%-48s' "$what"
    # shellcheck disable=SC2086 # one word a column
    printf '%-14s' ${result[$what]}
    echo
done
echo
echo "What is logged of a request by IPv4, and by IPv6:"
echo "$shown"
if [ $bad = 0 ]; then echo "${#rows[@]} promises are kept behind: ${columns[*]}"; fi
exit $bad
