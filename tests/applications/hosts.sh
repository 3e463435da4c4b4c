# Three hosts for tests/apps, each a network namespace with a root of its own: Debian's /usr, and its own /etc, /var and /opt, as
# if the packages had been installed there. A cable joins each pair; a gateway serves each host.
# shellcheck shell=sh

hosts='one two three'

# The address of host $1 on its cable to host $2.
address() {
    case "$1 $2" in
        'one two') echo 10.79.12.1 ;;
        'two one') echo 10.79.12.2 ;;
        'one three') echo 10.79.13.1 ;;
        'three one') echo 10.79.13.3 ;;
        'two three') echo 10.79.23.2 ;;
        'three two') echo 10.79.23.3 ;;
    esac
}

# The network namespace of host $1.
net() { echo "beamway-apps-$1"; }

# Runs a program on host $1 as user $2, in that user's home.
on() {
    host=$1 user=$2
    shift 2
    # shellcheck disable=SC2016 # expanded by the inner shell
    ip netns exec "$(net "$host")" unshare --mount --uts sh -c '
        usr=$1 root=$2 host=$3 user=$4
        shift 4
        hostname "$host.test"
        mount --bind "$usr" "$root/usr" && mount --rbind /dev "$root/dev" && mount -t proc proc "$root/proc" || exit 2
        home=$(sed -n "s/^$user:.*:\(.*\):.*$/\1/p" "$root/etc/passwd")
        exec env -i PATH=/usr/sbin:/usr/bin HOME="$home" USER="$user" LANG=C.UTF-8 chroot "$root" \
            setpriv --reuid "$user" --regid "$user" --clear-groups sh -c "cd && exec \"\$@\"" sh "$@"
    ' sh "$PWD/.cache/otp/apps/root/usr" "$work/$host" "$host" "$user" "$@"
}

# All that runs on host $1 ends; nothing else is in its namespace.
end_host() {
    # shellcheck disable=SC2046 # one word for each process
    set -- $(ip netns pids "$(net "$1")")
    [ $# -eq 0 ] || kill -KILL "$@" 2>/dev/null || true
}

remove_hosts() {
    for host in $hosts; do
        if ip netns list | grep -q "^$(net "$host")\b"; then
            end_host "$host"
            ip netns delete "$(net "$host")"
        fi
    done
}

make_root() {
    root=$work/$1
    mkdir -p "$root/usr" "$root/dev" "$root/proc" "$root/run" "$root/tmp" "$root/root" "$root/opt/beamway/ebin"
    chmod 1777 "$root/tmp"
    for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
    cp -r .cache/otp/apps/root/etc .cache/otp/apps/root/var "$root/"
    printf '%s\n' root:x:0:0::/root:/bin/sh rabbitmq:x:501:501::/var/lib/rabbitmq:/bin/sh \
        ejabberd:x:502:502::/var/lib/ejabberd:/bin/sh >"$root/etc/passwd"
    printf '%s\n' root:x:0: rabbitmq:x:501: ejabberd:x:502: >"$root/etc/group"
    echo '127.0.0.1 localhost' >"$root/etc/hosts"
    for user in rabbitmq ejabberd; do
        mkdir -p "$root/etc/$user" "$root/var/lib/$user" "$root/var/log/$user" "$root/run/$user"
        echo beamwaytestcookie >"$root/var/lib/$user/.erlang.cookie"
        chmod 400 "$root/var/lib/$user/.erlang.cookie"
    done
    chown -R 501:501 "$root/var/lib/rabbitmq" "$root/var/log/rabbitmq"
    chown -R 502:502 "$root/var/lib/ejabberd" "$root/var/log/ejabberd" "$root/run/ejabberd" "$root/etc/ejabberd"
    cp erlang/src/beamway_epmd.erl tests/applications/*.escript "$root/opt/beamway/"
    on "$1" root erlc -o /opt/beamway/ebin /opt/beamway/beamway_epmd.erl
}

# The gateway of host $1: a configuration as in docs/ATTACH.md.
configure_gateway() {
    {
        echo "[gateway]
name   = \"$1\"
listen = \"0.0.0.0:4471\"
certs  = \"certs/$1\"

[epmd]
listen = \"127.0.0.1:4369\"
hosts  = [\"$1.test\"]"
        for peer in $hosts; do
            [ "$peer" = "$1" ] || echo "
[[peer]]
name    = \"$peer\"
address = \"$(address "$peer" "$1"):4471\""
        done
    } >"$work/$1.toml"
}

# Starts the gateway of host $1; its process is in gateway_$1.
start_gateway() {
    ip netns exec "$(net "$1")" "$beamway" run --config "$work/$1.toml" >>"$work/$1.log" 2>&1 &
    eval "gateway_$1=$!"
    until_true 20 "the gateway of $1 to serve" on "$1" root epmd -names
}

# Ends the gateway of host $1 by signal $2.
end_gateway() {
    eval "pid=\$gateway_$1"
    kill "-$2" "$pid"
    wait "$pid" || true
}

# Ends the gateway of host $1 by signal $2, and starts it again.
restart_gateway() {
    end_gateway "$1" "$2"
    start_gateway "$1"
}

make_hosts() {
    for host in $hosts; do
        ip netns add "$(net "$host")"
        ip -n "$(net "$host")" link set lo up
    done
    for pair in one:two one:three two:three; do
        left=${pair%:*} right=${pair#*:}
        ip link add "$right" netns "$(net "$left")" type veth peer name "$left" netns "$(net "$right")"
        ip -n "$(net "$left")" addr add "$(address "$left" "$right")/24" dev "$right"
        ip -n "$(net "$right")" addr add "$(address "$right" "$left")/24" dev "$left"
        ip -n "$(net "$left")" link set "$right" up
        ip -n "$(net "$right")" link set "$left" up
    done
    "$beamway" certs init --dir "$work/certs"
    for host in $hosts; do
        "$beamway" certs issue --dir "$work/certs" --host "$host.test" "$host"
    done
    for host in $hosts; do
        make_root "$host"
        configure_gateway "$host"
        start_gateway "$host"
    done
}

# Waits up to $1 seconds until the command that follows $2 succeeds.
until_true() {
    seconds=$1 what=$2
    shift 2
    deadline=$(($(date +%s) + seconds))
    while ! "$@" >"$work/last" 2>&1; do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            tail -n 20 "$work/last" >&2
            fail "waited $seconds s in vain for $what"
        fi
        sleep 0.5
    done
}

fail() {
    echo "tests/apps: $*; logs are in $work" >&2
    exit 1
}
