# What the guides mean by commands, users and services, where their test runs. Paths, addresses and the
# program's place in them are put in by the test: $ROOT takes the place of /, the program is built already.
set -e -o pipefail

cargo() { :; }
useradd() { :; }
chown() { :; }
# runuser -u patron -- COMMAND
runuser() { shift 3; "$@"; }

patron() {
    case $1 in
    sandbox) command patron "$@" --listen "$LISTEN" ;;
    *) command patron "$@" ;;
    esac
}

curl() {
    command curl --connect-to "pay.example.com:443:$TLS" --cacert "$ROOT/etc/ssl/pay.example.com.pem" "$@"
}

# Files that came along name places of the system.
placed() {
    sed -e "s|/usr/local/bin/|$ROOT/usr/local/bin/|g; s|/etc/|$ROOT/etc/|g; s|/var/|$ROOT/var/|g" \
        -e "s|127.0.0.1:8080|$LISTEN|; s|listen 443|listen $TLS|" "$1"
}

serve() {
    local start
    start=$(placed "$ROOT/etc/systemd/system/patron.service" | sed -n 's/^ExecStart=//p')
    : >"$ROOT/log"
    $start 2>"$ROOT/log" &
    server=$!
    until grep -q 'answers at' "$ROOT/log"; do
        kill -0 $server || { cat "$ROOT/log"; return 1; }
        sleep 0.05
    done
}

systemctl() {
    case "$*" in
    daemon-reload) ;;
    "enable --now patron") serve ;;
    "restart patron") kill $server; wait $server; serve ;;
    "reload nginx")
        command nginx -e stderr -p "$ROOT" -c "$ROOT/nginx.conf" &
        until command curl -sk -o "$ROOT/log" "https://$TLS/"; do kill -0 $!; sleep 0.05; done
        ;;
    *) return 1 ;;
    esac
}

# With a certificate of its own for the name in the example.
nginx() {
    local kind
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=pay.example.com \
        -addext subjectAltName=DNS:pay.example.com -keyout "$ROOT/etc/ssl/private/pay.example.com.key" \
        -out "$ROOT/etc/ssl/pay.example.com.pem" 2>"$ROOT/log"
    {
        echo "daemon off; master_process off; pid $ROOT/pid; events {} http { access_log off;"
        for kind in client_body proxy fastcgi uwsgi scgi; do
            echo "${kind}_temp_path $ROOT/$kind;"
        done
        placed "$ROOT/etc/nginx/conf.d/patron.conf"
        echo "}"
    } >"$ROOT/nginx.conf"
    command nginx "$@" -e stderr -p "$ROOT" -c "$ROOT/nginx.conf"
}
