//! The atoms that cross between Erlang and this library.

rustler::atoms! {
    ok,
    error,
    // What `send` returns.
    wait,
    closed,
    // Messages to processes of `beamway_dist`.
    beamway_incoming,
    beamway_handshake,
    beamway_closed,
    beamway_ready,
    beamway_data,
    beamway_suspend,
    beamway_pulse,
    beamway_log,
    // Levels of the logger.
    warning,
    info,
    debug,
    // Keys of `beamway:info/0`.
    name,
    address,
    version,
    memory,
    memory_limit,
    circuits,
    node,
    peer,
    received,
    sent,
    to_send,
    to_deliver,
    far_is_silent,
    suspended,
    suspensions,
    message,
}
