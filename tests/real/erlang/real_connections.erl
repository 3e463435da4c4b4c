%% Connections that come and go.
-module(real_connections).

-export([connect_at/2, chat/1, guard/2, guarded/0, stream/3, stop_stream/1, old/1, remember/1, mourn/1, address_port/1,
         everyone/1, idle_named/1]).

-include("real.hrl").

%% Connects at that microsecond of the system's clock, so that two nodes of one machine do it at once.
connect_at(Peer, At) ->
    spin(At),
    net_kernel:connect_node(Peer).

spin(At) ->
    case erlang:system_time(microsecond) < At of
        true -> spin(At);
        false -> ok
    end.

%% A few calls in both directions over the connection that is there.
chat(Peer) ->
    [?equal({N, Peer}, erpc:call(Peer, fun() -> {N, node()} end, 10000), chat) || N <- lists:seq(1, 5)],
    Self = node(),
    ?equal(Self, erpc:call(Peer, fun() -> erpc:call(Self, erlang, node, [], 10000) end, 10000), chat_back),
    ok.

%% A process that notes every message of Peer's streams that comes while Peer is not up.
guard(Name, Peer) ->
    Self = self(),
    spawn(fun() ->
                  register(Name, self()),
                  ok = net_kernel:monitor_nodes(true),
                  Self ! guarding,
                  guard(Peer, lists:member(Peer, nodes()), 0, [])
          end),
    receive guarding -> ok end.

guard(Peer, Up, Count, Strays) ->
    receive
        {nodeup, Peer} when Up -> guard(Peer, Up, Count, [nodeup_twice | Strays]);
        {nodeup, Peer} -> guard(Peer, true, Count, Strays);
        {nodedown, Peer} when not Up -> guard(Peer, Up, Count, [nodedown_twice | Strays]);
        {nodedown, Peer} -> guard(Peer, false, Count, Strays);
        {stream, _, _} when Up -> guard(Peer, Up, Count + 1, Strays);
        {stream, _, N} -> guard(Peer, Up, Count, [{stray, N} | Strays]);
        {ask, From} -> From ! {guarded, Count, lists:sublist(Strays, 20)}, guard(Peer, Up, Count, Strays);
        _ -> guard(Peer, Up, Count, Strays)
    end.

guarded() ->
    guard ! {ask, self()},
    {Count, Strays} = ?recv({guarded, C, S}, {C, S}, guard),
    ?equal([], Strays, outside_of_nodeup_and_nodedown),
    Count > 0 orelse error(no_stream_arrived),
    ok.

%% Sends without end to a name at Peer, in bursts, connected or not.
stream(Name, Peer, Size) ->
    Self = self(),
    spawn(fun() -> register(Name, self()), Self ! streaming, stream_loop(Peer, rand:bytes(Size), 1) end),
    receive streaming -> ok end.

stream_loop(Peer, Data, N) ->
    [{guard, Peer} ! {stream, Data, M} || M <- lists:seq(N, N + 20)],
    receive stop -> ok after 1 -> stream_loop(Peer, Data, N + 21) end.

stop_stream(Name) -> Name ! stop, ok.

idle_named(Name) -> register(Name, spawn(fun real_signals:idle/0)), ok.

%% Links to, watches and remembers a process of Peer that is about to be killed with its node.
remember(Peer) ->
    Self = self(),
    spawn(fun() ->
                  process_flag(trap_exit, true),
                  P = spawn_link(Peer, real_signals, idle, []),
                  M = monitor(process, P),
                  N = monitor(process, {real_idle, Peer}),
                  Watch = monitor_node(Peer, true),
                  register(real_memory, self()),
                  Self ! {remembering, Watch},
                  Down = ?MODULE:mourn([{exit, P}, {down, M}, {down, N}, {node, Peer}]),
                  receive {ask, From} -> From ! {memory, P, Down} end
          end),
    receive {remembering, true} -> ok end.

%% What each of them ended with.
mourn([]) -> [];
mourn(Waiting) ->
    {Key, Reason} = receive
                        {'EXIT', P, R} -> {{exit, P}, R};
                        {'DOWN', M, process, _, R} -> {{down, M}, R};
                        {nodedown, Node} -> {{node, Node}, noconnection}
                    end,
    lists:member(Key, Waiting) orelse error({unasked_end, Key, Reason}),
    [Reason | mourn(lists:delete(Key, Waiting))].

%% After the restart: all ended with noconnection, and the old process is gone for good.
old(Peer) ->
    real_memory ! {ask, self()},
    {Old, Reasons} = ?recv({memory, P, D}, {P, D}, ends_of_all_that_was_tied_to_the_dead_node),
    ?equal([noconnection, noconnection, noconnection, noconnection], Reasons, reasons),
    process_flag(trap_exit, true),
    New = spawn(Peer, real_signals, idle, []),
    ?equal(Peer, node(Old), node_of_the_old_pid),
    M = monitor(process, Old),
    ?equal(noproc, ?recv({'DOWN', M, process, Old, R}, R, monitor_of_an_old_pid), monitor_of_an_old_pid),
    link(Old),
    ?equal(noproc, ?recv({'EXIT', Old, R}, R, link_to_an_old_pid), link_to_an_old_pid),
    Old ! hello,
    exit(Old, kill),
    unlink(Old),
    N = monitor(process, New),
    ?none({'DOWN', N, _, _, _}, death_of_a_new_process_by_a_signal_to_an_old_one),
    New ! stop,
    ?equal(normal, ?recv({'DOWN', N, process, New, R}, R, the_new_process), end_of_the_new_process),
    ok.

%% The port at the other end of the connection to Peer.
address_port(Peer) ->
    {ok, Info} = net_kernel:node_info(Peer),
    {address, Address} = lists:keyfind(address, 1, Info),
    {_, Port} = element(2, Address),
    Port.

%% Calls and messages of all sizes with every one of them at once.
everyone(Peers) ->
    real:parallel([fun() -> real_basics:many_at_once(Peer), chat(Peer) end || Peer <- Peers]),
    ok.
