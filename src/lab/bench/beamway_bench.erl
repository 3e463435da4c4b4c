%% What `beamway bench` measures between two nodes; beamway_testbed has the loop of commands, the service of the far node, and
%% the senders and receivers that count and compare every message.
%%
%% Times are in microseconds unless they are called Ms. A list of quantiles is answered with the times at each of them.
-module(beamway_bench).

-export([main/0, command/1]).
%% Far sides.
-export([drop/0, load/2, listen/1, swallow/1]).
%% For a visit.
-export([visit/3, host/2, leave/0]).

-define(ANSWER_MS, 30000).
%% The open loop: a call so often, milliseconds, whatever the answers do.
-define(PAUSE_MS, 10).
%% Messages that all pairs together may have unacknowledged, and the bytes of one pair.
-define(MESSAGES, 64000).
-define(BYTES, 4000000).

main() ->
    beamway_testbed:main(?MODULE).

command({stream, Node, Pairs, Size, Ms}) ->
    stream(Node, Pairs, Size, Ms);
command({idle, Node, Ms, Quantiles}) ->
    idle(Node, Ms, Quantiles);
command({calls, Node, Ms, Bulk, WarmMs, Quantiles}) ->
    calls(Node, Ms, Bulk, WarmMs, Quantiles);
command({set_up, Node, Times, Quantiles}) ->
    set_up(Node, Times, Quantiles);
command({set_up_together, Nodes, Times}) ->
    set_up_together(Nodes, Times);
command({flood, Node, Senders, Size}) ->
    flood(Node, Senders, Size);
command(calm) ->
    calm();
command({ticktime, Seconds}) ->
    #{ticktime => net_kernel:set_net_ticktime(Seconds, 0) =/= ignored};
command({ticks, Node, Ms}) ->
    ticks(Node, Ms);
command({tcp, Node, Address, Ms}) ->
    tcp(Node, Address, Ms);
command(Command) ->
    beamway_testbed:command(Command).

%%% Streams between pairs of processes

stream(Node, Pairs, Size, Ms) ->
    Window = min(?MESSAGES div Pairs, ?BYTES div max(1, Size)),
    Senders = beamway_testbed:senders(Node, Pairs, Size, max(1, min(4000, Window))),
    Begin = now_us(),
    timer:sleep(Ms),
    Sent = beamway_testbed:sent(Senders, Size),
    Sent#{us => now_us() - Begin}.

%%% Round trips of small calls

%% One caller, one call after the other.
idle(Node, Ms, Quantiles) ->
    Servers = beamway_testbed:servers(Node),
    {Warm, _} = beamway_testbed:one_by_one(Servers, warm, now_us() + min(Ms, 200) * 1000, 0, []),
    {Made, Times} = beamway_testbed:one_by_one(Servers, counted, now_us() + Ms * 1000, 0, []),
    maps:merge(at(Quantiles, Times), beamway_testbed:echo_verdict(Servers, Warm + Made)).

%% A call every 10 ms, alone or beside senders of messages of so many bytes with so many unacknowledged.
calls(Node, Ms, undefined, _, Quantiles) ->
    calls(Node, Ms, Quantiles);
calls(Node, Ms, {Streams, Size, Window}, WarmMs, Quantiles) ->
    Begin = now_us(),
    Senders = beamway_testbed:senders(Node, Streams, Size, Window),
    beamway_testbed:flowing(Senders),
    timer:sleep(WarmMs),
    Calls = calls(Node, Ms, Quantiles),
    Bulk = beamway_testbed:sent(Senders, Size),
    beamway_testbed:both(Calls, maps:merge(Calls, Bulk#{us => now_us() - Begin})).

calls(Node, Ms, Quantiles) ->
    Servers = beamway_testbed:servers(Node),
    {Made, Times} = beamway_testbed:every(?PAUSE_MS, Servers, Ms div ?PAUSE_MS),
    maps:merge(at(Quantiles, Times), beamway_testbed:echo_verdict(Servers, Made)).

at(Quantiles, Times) ->
    Sorted = list_to_tuple(lists:sort(Times)),
    At = fun(Quantile) -> element(max(1, ceil(Quantile * tuple_size(Sorted))), Sorted) end,
    #{samples => tuple_size(Sorted), times => [At(Quantile) || Quantile <- Quantiles]}.

%%% Connections

set_up(Node, Times, Quantiles) ->
    maps:merge(at(Quantiles, connected_anew([Node], Times)), #{verified => true}).

set_up_together(Nodes, Times) ->
    #{connections => length(Nodes) * Times, us => lists:sum(connected_anew(Nodes, Times)), verified => true}.

%% Meanwhile no node connects because it has something to say, as `global` has after each nodedown.
connected_anew(Nodes, Times) ->
    All = [node() | Nodes],
    [ok = erpc:call(Node, application, set_env, [kernel, dist_auto_connect, never]) || Node <- All],
    try
        [connected_anew(Nodes) || _ <- lists:seq(1, Times)]
    after
        [ok = erpc:call(Node, application, unset_env, [kernel, dist_auto_connect]) || Node <- All]
    end.

%% Ends all connections, makes them again at once, and says how long that took.
connected_anew(Nodes) ->
    net_kernel:monitor_nodes(true),
    [erlang:disconnect_node(Node) || Node <- Nodes],
    [receive {nodedown, Node} -> ok after ?ANSWER_MS -> exit(not_disconnected) end || Node <- Nodes],
    %% The other side and the gateways hear of it.
    timer:sleep(50),
    Begin = now_us(),
    Monitors = [spawn_monitor(fun() -> exit({connected, connect(Node, 20)}) end) || Node <- Nodes],
    [true = receive {'DOWN', Monitor, process, _, {connected, Is}} -> Is end || {_, Monitor} <- Monitors],
    Us = now_us() - Begin,
    [receive {nodeup, Node} -> ok after ?ANSWER_MS -> exit(no_nodeup) end || Node <- Nodes],
    net_kernel:monitor_nodes(false),
    Us.

%% The far side may still think that it is connected, and refuse. What that costs counts.
connect(_, 0) -> false;
connect(Node, Tries) -> net_kernel:connect_node(Node) =:= true orelse connect(Node, Tries - 1).

%%% A node that does not read

%% Goes on until `calm`, whatever becomes of the receivers.
flood(Node, Senders, Size) ->
    Data = binary:copy(<<"beamway!">>, Size div 8),
    Receivers = [spawn(Node, ?MODULE, drop, []) || _ <- lists:seq(1, Senders)],
    Pid = spawn(fun() ->
        [spawn_link(fun() -> send_on(Receiver, Data) end) || Receiver <- Receivers],
        receive calm -> exit(calm) end
    end),
    persistent_term:put({?MODULE, flood}, Pid),
    #{flowing => true}.

send_on(Receiver, Data) ->
    Receiver ! Data,
    send_on(Receiver, Data).

drop() ->
    receive _ -> drop() end.

calm() ->
    Pid = persistent_term:get({?MODULE, flood}),
    Monitor = monitor(process, Pid),
    Pid ! calm,
    receive {'DOWN', Monitor, process, _, _} -> ok end,
    persistent_term:erase({?MODULE, flood}),
    #{flowing => false}.

%%% Ticks under full load

%% Bulk and a small message every 10 ms in both directions. A connection that is lost ends it.
ticks(Node, Ms) ->
    {_, Monitor} = spawn_opt(Node, ?MODULE, load, [node(), Ms], [monitor]),
    Mine = load_of(Node, Ms),
    Theirs = receive
        {'DOWN', Monitor, process, _, {loaded, Load}} -> Load;
        {'DOWN', Monitor, process, _, Reason} -> exit({far_side, Reason})
    after ?ANSWER_MS + Ms -> exit(no_far_side)
    end,
    #{silence := Silence} = Mine,
    #{silence := Silence1} = Theirs,
    maps:merge(beamway_testbed:both(Mine, Theirs), #{silence => max(Silence, Silence1)}).

load(Node, Ms) ->
    exit({loaded, load_of(Node, Ms)}).

load_of(Node, Ms) ->
    monitor_node(Node, true),
    Owner = self(),
    spawn_link(fun() -> monitor_node(Node, true), receive {nodedown, Node} -> exit(Owner, connection_lost) end end),
    Begin = now_us(),
    Senders = beamway_testbed:senders(Node, 4, 4000000, 1),
    Listener = spawn(Node, ?MODULE, listen, [self()]),
    Beats = beat(Listener, 0, now_us() + Ms * 1000),
    Listener ! {verdict, self()},
    {Heard, Silence} = receive {heard, Listener, H, S} -> {H, S} after ?ANSWER_MS -> exit(no_verdict) end,
    Sent = beamway_testbed:sent(Senders, 4000000),
    Heart = beamway_testbed:verdict(Heard =:= Beats, "~b beats sent, ~b arrived", [Beats, Heard]),
    maps:merge(beamway_testbed:both(Sent, Heart), #{silence => Silence, us => now_us() - Begin}).

beat(Listener, Number, Deadline) ->
    Listener ! {beat, Number},
    timer:sleep(?PAUSE_MS),
    case now_us() < Deadline of
        true -> beat(Listener, Number + 1, Deadline);
        false -> Number + 1
    end.

%% Counts beats in their order, and the longest time without one.
listen(Owner) ->
    monitor(process, Owner),
    listen(0, now_us(), 0).

listen(Count, Last, Silence) ->
    receive
        {beat, Count} ->
            Now = now_us(),
            listen(Count + 1, Now, max(Silence, Now - Last));
        {verdict, From} ->
            From ! {heard, self(), Count, max(Silence, now_us() - Last)};
        {'DOWN', _, process, _, _} ->
            ok
    end.

%%% What TCP alone moves

tcp(Node, Address, Ms) ->
    Sink = spawn(Node, ?MODULE, swallow, [self()]),
    Port = receive {listens, Sink, P} -> P after ?ANSWER_MS -> exit(no_port) end,
    {ok, To} = inet:parse_address(atom_to_list(Address)),
    {ok, Socket} = gen_tcp:connect(To, Port, [binary, {active, false}, {nodelay, true}], ?ANSWER_MS),
    Begin = now_us(),
    Chunk = binary:copy(<<0>>, 262144),
    pour(Socket, Chunk, now_us() + Ms * 1000),
    ok = gen_tcp:shutdown(Socket, write),
    Bytes = receive {swallowed, Sink, B} -> B after ?ANSWER_MS -> exit(not_swallowed) end,
    #{bytes => Bytes, us => now_us() - Begin, messages => 1, verified => true}.

pour(Socket, Chunk, Deadline) ->
    ok = gen_tcp:send(Socket, Chunk),
    now_us() < Deadline andalso pour(Socket, Chunk, Deadline).

swallow(Owner) ->
    {ok, Listen} = gen_tcp:listen(0, [binary, {active, false}]),
    {ok, Port} = inet:port(Listen),
    Owner ! {listens, self(), Port},
    {ok, Socket} = gen_tcp:accept(Listen, ?ANSWER_MS),
    Owner ! {swallowed, self(), swallow(Socket, 0)}.

swallow(Socket, Bytes) ->
    case gen_tcp:recv(Socket, 0, ?ANSWER_MS) of
        {ok, Data} -> swallow(Socket, Bytes + byte_size(Data));
        {error, closed} -> Bytes
    end.

now_us() ->
    beamway_testbed:now_us().

%%% A visit to nodes that exist already

%% On the near one: brings these modules to the far one and starts the service on both. Everything is gone again soon after
%% `leave/1`, or after the visitor or the connection between the two is lost.
visit(Far, Visitor, Modules) ->
    Names = [Module || {Module, _} <- Modules],
    Near = host(Visitor, Names),
    try
        [{module, _} = erpc:call(Far, code, load_binary, [Module, "beamway bench", Object]) || {Module, Object} <- Modules],
        _ = erpc:call(Far, ?MODULE, host, [Near, Names]),
        ok
    catch
        Class:Reason:Stack ->
            leave(),
            erlang:raise(Class, Reason, Stack)
    end.

%% Starts the service, and ends it when a guest (a node, or the guard of the other host) is gone.
host(Guest, Names) ->
    Self = self(),
    {Guard, Monitor} = spawn_monitor(fun() ->
        true = register(?MODULE, self()),
        Service = beamway_testbed:prepare(),
        Self ! {hosts, self()},
        if is_atom(Guest) -> monitor_node(Guest, true); true -> monitor(process, Guest) end,
        receive leave -> ok; {nodedown, _} -> ok; {'DOWN', _, process, _, _} -> ok end,
        gen_server:stop(Service),
        persistent_term:erase(beamway_testbed),
        %% Nobody may be in a module that is removed, so somebody else removes it.
        [{ok, _} = timer:apply_after(After, code, Step, [Name])
         || Name <- Names, {Step, After} <- [{delete, 300}, {purge, 600}]]
    end),
    receive
        {hosts, Guard} -> demonitor(Monitor, [flush]), Guard;
        {'DOWN', Monitor, process, _, Reason} -> exit(Reason)
    end.

leave() ->
    ?MODULE ! leave.
