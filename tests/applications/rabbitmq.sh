# RabbitMQ on three hosts for tests/apps: a cluster, a quorum queue and a mirrored one, and what happens to them while nodes
# and gateways stop, die and return. docs/APPLICATIONS.md tells the same steps for a reader.
# shellcheck shell=sh

configure_rabbitmq() {
    cat >"$work/$1/etc/rabbitmq/rabbitmq-env.conf" <<END
USE_LONGNAME=true
NODENAME=rabbit@$1.test
SERVER_ADDITIONAL_ERL_ARGS="-epmd_module beamway_epmd -start_epmd false -pa /opt/beamway/ebin -kernel inet_dist_use_interface {127,0,0,1}"
CTL_ERL_ARGS="-epmd_module beamway_epmd -start_epmd false -pa /opt/beamway/ebin -beamway_wait 5"
END
    echo 'cluster_partition_handling = pause_minority' >"$work/$1/etc/rabbitmq/rabbitmq.conf"
}

ctl() {
    at=$1
    shift
    on "$at" rabbitmq rabbitmqctl "$@" >>"$work/ctl.log" 2>&1 || fail "rabbitmqctl $* on $at: $(tail -n 3 "$work/ctl.log")"
}

start_rabbitmq() {
    on "$1" rabbitmq rabbitmq-server >>"$work/rabbitmq-$1.log" 2>&1 &
    until_true 90 "RabbitMQ on $1 to start" on "$1" rabbitmq rabbitmqctl await_startup --timeout 60
}

# A client, on the host that nothing happens to.
amqp() {
    on three rabbitmq env ERL_LIBS=/usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/plugins escript /opt/beamway/amqp.escript "$@"
}

# Whether all three run, none sees a partition, and both queues are complete everywhere.
is_whole() {
    for every in $hosts; do
        # shellcheck disable=SC2016 # Erlang
        on "$every" rabbitmq rabbitmqctl eval '
            3 = length(rabbit_nodes:all_running()),
            [] = rabbit_node_monitor:partitions(),
            {ok, Mirrored} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"mirrored">>)),
            2 = length(proplists:get_value(synchronised_slave_pids, rabbit_amqqueue:info(Mirrored, [synchronised_slave_pids]))),
            Members = rabbit_quorum_queue:status(<<"/">>, <<"quorum">>),
            3 = length(Members),
            1 = length(lists:usort([proplists:get_value(<<"Log Index">>, Member) || Member <- Members])),
            true = lists:member(node(), rabbit_nodes:all_running()).' || return 1
    done
}

# Publishes to both queues for $2 seconds, first to host two, does what follows meanwhile, and then consumes on host three.
disturbed() {
    case=$1 load=$2
    shift 2
    for queue in quorum mirrored; do
        amqp publish "$load" "$queue" "/tmp/$queue" 10.79.23.2 10.79.13.1 >"$work/$queue.out" 2>&1 &
        eval "load_$queue=$!"
    done
    sleep 3
    "$@"
    for queue in quorum mirrored; do
        eval "wait \$load_$queue" || fail "RabbitMQ, $case, $queue queue: $(cat "$work/$queue.out")"
    done
    until_true 120 "RabbitMQ to be whole: $case" is_whole
    for queue in quorum mirrored; do
        received=$(amqp consume 127.0.0.1 "$queue" "/tmp/$queue") || fail "RabbitMQ, $case, $queue queue: $received"
        echo "RabbitMQ, $case, $queue queue: $(cat "$work/$queue.out"); $received"
    done
}

restart_in_order() {
    ctl "$1" shutdown
    start_rabbitmq "$1"
}

kill_and_restart() {
    for pid in $(ip netns pids "$(net "$1")"); do
        if grep -qs beam.smp "/proc/$pid/comm"; then kill -KILL "$pid"; fi
    done
    start_rabbitmq "$1"
}

run_rabbitmq() {
    for each in $hosts; do
        configure_rabbitmq "$each"
        start_rabbitmq "$each"
    done
    for each in two three; do
        ctl "$each" stop_app
        ctl "$each" join_cluster rabbit@one.test
        ctl "$each" start_app
    done
    ctl one add_user app secret
    ctl one set_permissions app '.*' '.*' '.*'
    ctl one set_policy ha '^mirrored' '{"ha-mode":"all","ha-sync-mode":"automatic"}'
    amqp declare 10.79.13.1 quorum quorum
    amqp declare 10.79.13.1 mirrored classic
    until_true 60 'RabbitMQ to be whole' is_whole
    disturbed 'nothing stops' 5 true
    disturbed 'a node restarted in order' 15 restart_in_order two
    disturbed 'a node killed, which leads both queues' 15 kill_and_restart one
    disturbed 'a gateway restarted in order' 15 restart_gateway two TERM
    disturbed 'a gateway killed' 15 restart_gateway two KILL
    for each in $hosts; do ctl "$each" shutdown; done
}
