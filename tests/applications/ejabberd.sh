# ejabberd on two hosts for tests/apps: joined, with users at both that write to each other. docs/APPLICATIONS.md tells the
# same steps for a reader.
# shellcheck shell=sh

configure_ejabberd() {
    cat >"$work/$1/etc/ejabberd/ejabberdctl.cfg" <<END
ERLANG_NODE=ejabberd@$1.test
INET_DIST_INTERFACE=127.0.0.1
ERL_OPTIONS="-epmd_module beamway_epmd -start_epmd false -pa /opt/beamway/ebin"
END
    # Its sample has TLS, for which certificates would have to be made, and many modules. Here users may write as they like.
    cat >"$work/$1/etc/ejabberd/ejabberd.yml" <<END
hosts:
  - chat.test
listen:
  - port: 5222
    module: ejabberd_c2s
modules:
  mod_roster: {}
END
    cp .cache/otp/apps/root/etc/ejabberd/inetrc "$work/$1/etc/ejabberd/"
}

ejabberdctl() {
    at=$1
    shift
    on "$at" ejabberd ejabberdctl "$@" >>"$work/ctl.log" 2>&1 || fail "ejabberdctl $* on $at: $(tail -n 3 "$work/ctl.log")"
}

start_ejabberd() {
    ejabberdctl "$1" start
    until_true 90 "ejabberd on $1 to start" on "$1" ejabberd ejabberdctl status
}

# Whether each host sees both as running.
is_joined() {
    for every in one two; do
        seen=$(on "$every" ejabberd ejabberdctl list_cluster | tr -d "'" | sort | tr '\n' ' ')
        [ "$seen" = 'ejabberd@one.test ejabberd@two.test ' ] || return 1
    done
}

restart_ejabberd() {
    ejabberdctl "$1" stop
    # It would also end the port mapper, which the gateway refuses; the command then says that it failed.
    on "$1" ejabberd ejabberdctl stopped >>"$work/ctl.log" 2>&1 || true
    start_ejabberd "$1"
}

knows_carol() { on two ejabberd ejabberdctl registered_users chat.test | grep -q carol; }

talk() {
    until_true 60 "ejabberd to be joined: $1" is_joined
    said=$(on three ejabberd escript /opt/beamway/xmpp.escript 10.79.13.1 10.79.23.2 "$2") || fail "ejabberd, $1: $said"
    echo "ejabberd, $1: $said"
}

run_ejabberd() {
    for each in one two; do
        configure_ejabberd "$each"
        start_ejabberd "$each"
    done
    ejabberdctl two join_cluster ejabberd@one.test
    ejabberdctl one register alice chat.test secret
    ejabberdctl two register bob chat.test secret
    talk 'two nodes joined' 10000
    restart_ejabberd two
    talk 'a node restarted' 10000
    # Its mnesia has been parted from the other one, as by a cut cable, until the node is restarted.
    restart_gateway two TERM
    until_true 30 'ejabberd on two to register again' on two ejabberd ejabberdctl status
    ejabberdctl one register carol chat.test secret
    restart_ejabberd two
    talk 'a gateway restarted, then the node behind it' 10000
    until_true 20 'a user who was registered meanwhile' knows_carol
    for each in one two; do ejabberdctl "$each" stop; done
}
