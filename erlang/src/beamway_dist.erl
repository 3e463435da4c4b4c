%% @doc Erlang distribution over beamway, inside the VM: `erl -proto_dist beamway -beamway_config FILE -start_epmd false'.
%%
%% A connection has three processes: the <em>supervisor</em>, which performs OTP's handshake and then keeps the connection's ticks; the
%% <em>controller</em>, which takes packets from the VM and hands them to the library in batches; and the <em>input handler</em>,
%% which gives the VM what has arrived. They live and die together, and the circuit with them.
%%
%% The callbacks are described in "How to implement an alternative carrier for the Erlang distribution" (ERTS user's guide). This
%% module runs while kernel starts, so it uses nothing beyond kernel and stdlib, and starts no application.
-module(beamway_dist).

-export([childspecs/0, listen/1, listen/2, accept/1, accept_connection/5, setup/5, close/1, select/1, address/0, address/1]).
-export([is_node_name/1]).
-export([accept_loop/1, do_accept/6, do_setup/5, controller/0, output/2, wait_for_room/2, input/2]).
-export([tick/1, statistics/1, pulse/0, log/0]).
-export([upgrade/0]).

-include_lib("kernel/include/net_address.hrl").
-include_lib("kernel/include/dist.hrl").
-include_lib("kernel/include/dist_util.hrl").

%% Bytes that are taken from the VM for one call of the library.
-define(BATCH, 128 * 1024).
%% The VM charges each queued packet about this much beside its bytes.
-define(PACKET, 64).
%% Packets are lists of large binaries, which would cause a garbage collection every few hundred packets.
-define(CARRIER_OPTIONS, [
    {message_queue_data, off_heap}, {fullsweep_after, 0}, {min_bin_vheap_size, 1048576}
]).

%% What the supervisor knows.
-define(CIRCUIT, '$beamway_circuit').
-define(TARGET, '$beamway_target').
%% The processes that the controller has suspended, those that it will if the VM does, and of which it is known whether the VM does.
-define(SUSPENDED, '$beamway_suspended').
-define(CANDIDATES, '$beamway_candidates').
-define(KNOWN, '$beamway_known').
%% How many of the latter are remembered.
-define(KNOWN_MAX, 1000).
%% How long the controller looks whether the VM suspends them, and how often it does while there is no room, in milliseconds.
-define(LOOK_TIME, 20).
-define(LOOK_INTERVAL, 50).

%% Set when net_kernel has asked for a listener.
-define(HAS_LISTENER, '$beamway_listener').

%% Takes a process that waits into the newest code.
-define(UPGRADE, beamway_upgrade).

%% @doc Takes all processes of this module into its newest code, after it was loaded while nodes are connected. A process that waits for a
%% message runs the code that it began to wait in, and would be killed when that code is purged.
-spec upgrade() -> ok.
upgrade() ->
    %% Supervisors run code of kernel.
    Ours = [
        Pid
     || Pid <- processes(),
        {initial_call, {?MODULE, Function, _}} <- [erlang:process_info(Pid, initial_call)],
        lists:member(Function, [accept_loop, controller, input, pulse, log])
    ],
    [Pid ! ?UPGRADE || Pid <- Ours],
    ok.

%%% Callbacks of net_kernel

%% @private
%% Nothing may crash below the supervisor of distribution, so there is nothing in it.
childspecs() -> {ok, []}.

%% @private
%% If another protocol is given beside this one, the configuration file says for which nodes this one is.
select(Node) -> is_node_name(Node) andalso is_selected(Node).

is_selected(Node) ->
    try
        started(),
        beamway_nif:selects(atom_to_binary(Node))
    catch
        %% The connection is not made by other means: it fails, with the reason.
        throw:{failed, _} -> true
    end.

%% @private
is_node_name(Node) ->
    case string:split(atom_to_list(Node), "@") of
        [[_ | _], [_ | _]] -> true;
        _ -> false
    end.

%% @private
address() -> address("beamway").

%% @private
%% Of `address/1' the argument is a name or a host; what carries it is known by family and protocol.
address(Host) ->
    #net_address{address = undefined, host = to_list(Host), protocol = beamway, family = beamway}.

to_list(Host) when is_atom(Host) -> atom_to_list(Host);
to_list(Host) -> Host.

%% @private
listen(Name) ->
    {ok, Host} = inet:gethostname(),
    listen(Name, Host).

%% @private
%% net_kernel takes `undef' for a missing callback, so nothing may escape from here.
listen(Name, Host) ->
    try
        persistent_term:put(?HAS_LISTENER, true),
        started(),
        IsHidden = init:get_argument(hidden) =/= error,
        case beamway_nif:attach(atom_to_binary(Name), unicode:characters_to_binary(Host), IsHidden) of
            {ok, Creation} -> {ok, {{?MODULE, Name}, address(Host), Creation}};
            {error, Reason} -> failed([Reason])
        end
    catch
        throw:{failed, Lines} ->
            failed(Lines);
        Class:Error:Stack ->
            failed([io_lib:format("~tp:~tp at ~tp", [Class, Error, Stack])])
    end.

%% net_kernel displays the reason as it is. If the node has no other protocol it ends, before the logger has written anything.
failed(Lines) ->
    Text = unicode:characters_to_list(lists:join("; ", Lines)),
    logger:error("beamway: ~ts", [Text]),
    {error, Text}.

%% The library is loaded and its lanes run. A node without a listener, such as a remote shell with `-dist_listen false', starts them with
%% its first connection. Its lanes do not listen either, so it can use the file and the certificate of the node of its host. So can a node
%% that is told to with `-beamway_listen false', such as one of `bin/app rpc'.
started() ->
    case beamway_nif:load() of
        ok -> ok;
        {error, Text} -> throw({failed, [["cannot load the library: ", Text]]})
    end,
    keep(),
    case beamway_nif:start(config_file(), listens()) of
        ok -> ok;
        {error, Lines} -> throw({failed, Lines})
    end.

listens() ->
    persistent_term:get(?HAS_LISTENER, false) andalso init:get_argument(beamway_listen) =/= {ok, [["false"]]}.

config_file() ->
    case init:get_argument(beamway_config) of
        {ok, Arguments} ->
            %% If it is given twice, the last one counts.
            case lists:last(Arguments) of
                [File] -> unicode:characters_to_binary(File);
                _ -> throw({failed, ["-beamway_config needs one file name"]})
            end;
        error ->
            case os:getenv("BEAMWAY_CONFIG") of
                File when is_list(File), File =/= "" -> unicode:characters_to_binary(File);
                _ -> config_of_application()
            end
    end.

%% In a release, applications are loaded before kernel starts.
config_of_application() ->
    case application:get_env(beamway, config) of
        {ok, File} ->
            unicode:characters_to_binary(File);
        undefined ->
            throw(
                {failed, [
                    "no configuration file: start the node with -beamway_config FILE, set BEAMWAY_CONFIG, or set "
                    "config of the application beamway"
                ]}
            )
    end.

%% @private
close(_Listen) ->
    beamway_nif:stop().

%% @private
accept(_Listen) ->
    spawn_opt(?MODULE, accept_loop, [self()], [link, {priority, max}]).

%% @private
accept_loop(Kernel) ->
    beamway_nif:accept(),
    accept_next(Kernel).

accept_next(Kernel) ->
    receive
        {beamway_incoming, Circuit, SendName} ->
            Controller = spawn_opt(?MODULE, controller, [], [{priority, max} | ?CARRIER_OPTIONS]),
            Kernel ! {accept, self(), Controller, beamway, beamway},
            receive
                {Kernel, controller, Supervisor} ->
                    Supervisor ! {self(), controller, Circuit, SendName},
                    %% The library keeps a circuit as long as there is a reference, and this process makes little garbage.
                    garbage_collect();
                {Kernel, unsupported_protocol} ->
                    exit(unsupported_protocol)
            end;
        ?UPGRADE ->
            ok
    end,
    ?MODULE:accept_loop(Kernel).

%% @private
accept_connection(Acceptor, Controller, MyNode, Allowed, SetupTime) ->
    spawn_opt(
        ?MODULE, do_accept, [self(), Acceptor, Controller, MyNode, Allowed, SetupTime], dist_util:net_ticker_spawn_options()
    ).

%% @private
do_accept(Kernel, Acceptor, Controller, MyNode, Allowed, SetupTime) ->
    receive
        {Acceptor, controller, Circuit, SendName} ->
            link(Controller),
            Timer = dist_util:start_timer(SetupTime),
            self() ! {beamway_handshake, SendName},
            put(?CIRCUIT, Circuit),
            %% If the circuit has ended, the controller is told, and this process ends with it.
            beamway_nif:own(Circuit, Controller),
            HsData = hs_data(Controller),
            dist_util:handshake_other_started(HsData#hs_data{
                kernel_pid = Kernel,
                this_node = MyNode,
                timer = Timer,
                allowed = Allowed
            })
    end.

%% @private
setup(Node, Type, MyNode, _LongOrShortNames, SetupTime) ->
    spawn_opt(?MODULE, do_setup, [self(), Node, Type, MyNode, SetupTime], dist_util:net_ticker_spawn_options()).

%% @private
do_setup(Kernel, Node, Type, MyNode, SetupTime) ->
    Timer = dist_util:start_timer(SetupTime),
    try
        started()
    catch
        throw:{failed, Lines} ->
            failed(Lines),
            ?shutdown2(Node, beamway)
    end,
    Controller = spawn_opt(?MODULE, controller, [], [link, {priority, max} | ?CARRIER_OPTIONS]),
    put(?TARGET, Node),
    HsData = hs_data(Controller),
    dist_util:handshake_we_started(HsData#hs_data{
        kernel_pid = Kernel,
        other_node = Node,
        this_node = MyNode,
        timer = Timer,
        other_version = ?ERL_DIST_VER_HIGH,
        request_type = Type
    }).

%%% The supervisor

hs_data(Controller) ->
    #hs_data{
        socket = Controller,
        this_flags = 0,
        f_send = fun send_handshake/2,
        f_recv = fun receive_handshake/3,
        f_setopts_pre_nodeup = fun(_) -> ok end,
        f_setopts_post_nodeup = fun(_) -> ok end,
        f_getll = fun(C) -> {ok, C} end,
        f_address = fun node_address/2,
        f_handshake_complete = fun(C, _Node, DHandle) -> complete(C, get(?CIRCUIT), DHandle) end,
        mf_tick = fun ?MODULE:tick/1,
        mf_getstat = fun ?MODULE:statistics/1,
        %% Signals go over several streams, and a cache would have to be filled in one order.
        reject_flags = ?DFLAG_DIST_HDR_ATOM_CACHE
    }.

%% The first message opens the circuit, since the peer needs it to accept.
send_handshake(Controller, Message) ->
    case get(?CIRCUIT) of
        undefined ->
            put(?CIRCUIT, beamway_nif:open(atom_to_binary(get(?TARGET)), Message, Controller)),
            ok;
        Circuit ->
            case beamway_nif:handshake(Circuit, Message) of
                ok -> ok;
                closed -> {error, closed}
            end
    end.

receive_handshake(_Controller, 0, _Timeout) ->
    receive
        {beamway_handshake, Message} -> {ok, binary_to_list(Message)};
        {beamway_closed, _Reason} -> {error, closed}
    end.

node_address(_Controller, Node) ->
    case string:split(atom_to_list(Node), "@") of
        [_, Host] -> address(Host);
        _ -> {error, no_node}
    end.

complete(Controller, Circuit, DHandle) ->
    Reference = monitor(process, Controller),
    Controller ! {complete, self(), Reference, Circuit, DHandle},
    receive
        {Reference, ok} -> demonitor(Reference, [flush]), ok;
        {'DOWN', Reference, process, Controller, Reason} -> exit({dist_controller_exit, Reason})
    end.

%% @private
%% There is nothing to send: the sessions look after the line, and each side tells the other when its VM is silent.
tick(_Controller) -> ok.

%% @private
statistics(_Controller) ->
    {Received, Sent, IsPending} = beamway_nif:statistics(get(?CIRCUIT)),
    {ok, Received, Sent, IsPending}.

%%% The controller

%% @private
controller() ->
    receive
        {complete, Supervisor, Reference, Circuit, DHandle} ->
            Input = spawn_opt(?MODULE, input, [DHandle, Circuit], [link | ?CARRIER_OPTIONS]),
            false = erlang:dist_ctrl_set_opt(DHandle, get_size, true),
            ok = erlang:dist_ctrl_input_handler(DHandle, Input),
            case beamway_nif:established(Circuit, Input) of
                ok -> Supervisor ! {Reference, ok};
                closed -> exit(connection_closed)
            end,
            process_flag(priority, normal),
            %% The library says when it can take packets.
            wait_for_room(DHandle, Circuit);
        {beamway_closed, _Reason} ->
            %% The supervisor is told, too. When both nodes connect at once and this one has to give way, it must live on until the
            %% connection of the other node has replaced it.
            ?MODULE:controller();
        ?UPGRADE ->
            ?MODULE:controller()
    end.

%% @private
output(DHandle, Circuit) ->
    receive
        dist_data -> send(DHandle, Circuit);
        {beamway_suspend, Senders} -> suspend(Circuit, Senders), ?MODULE:output(DHandle, Circuit);
        {beamway_closed, _Reason} -> exit(connection_closed);
        _ -> ?MODULE:output(DHandle, Circuit)
    end.

send(DHandle, Circuit) ->
    case collect(DHandle, [], ?BATCH) of
        {empty, []} -> await_data(DHandle, Circuit);
        {HasMore, Packets} -> sent(beamway_nif:send(Circuit, Packets), HasMore, DHandle, Circuit)
    end.

sent(ok, more, DHandle, Circuit) ->
    %% The VM may always have more.
    receive
        {beamway_suspend, Senders} -> suspend(Circuit, Senders)
    after 0 -> ok
    end,
    send(DHandle, Circuit);
sent(ok, empty, DHandle, Circuit) -> await_data(DHandle, Circuit);
sent(wait, _, DHandle, Circuit) -> wait_for_room(DHandle, Circuit);
sent(closed, _, _, _) -> end_with_circuit();
sent({error, Reason}, _, _, _) ->
    logger:error("beamway: a connection is closed: packet: ~ts", [Reason]),
    exit(connection_closed).

await_data(DHandle, Circuit) ->
    erlang:dist_ctrl_get_data_notification(DHandle),
    ?MODULE:output(DHandle, Circuit).

%% @private
%% Packets stay with the VM, which suspends their senders in time.
wait_for_room(DHandle, Circuit) ->
    receive
        %% The library may still have packets of the last call.
        beamway_ready -> sent(beamway_nif:send(Circuit, []), more, DHandle, Circuit);
        {beamway_suspend, Senders} -> suspend(Circuit, Senders), ?MODULE:wait_for_room(DHandle, Circuit);
        {beamway_closed, _Reason} -> exit(connection_closed);
        ?UPGRADE -> ?MODULE:wait_for_room(DHandle, Circuit)
    after look_interval() ->
        suspend_candidates(Circuit),
        ?MODULE:wait_for_room(DHandle, Circuit)
    end.

look_interval() ->
    case known(?CANDIDATES, []) of
        [] -> infinity;
        _ -> ?LOOK_INTERVAL
    end.

%% These processes of this node have most of what is on the way, and must not send for now. The VM lets them go on if this process ends.
%%
%% A process that sends with `nosuspend', or asynchronously, must never be suspended, and nobody can ask it. So one is suspended only once the
%% VM itself has suspended it, since its queue was full: nothing is taken from that queue for a moment.
suspend(Circuit, Senders) ->
    Wanted = [list_to_pid(lists:concat(["<0.", Number, ".", Serial, ">"])) || {Number, Serial} <- Senders],
    Before = known(?SUSPENDED, []),
    lists:foreach(fun resume_process/1, Before -- Wanted),
    put(?SUSPENDED, [Pid || Pid <- Before, lists:member(Pid, Wanted)]),
    put(?CANDIDATES, [Pid || Pid <- Wanted -- Before, may_be_suspended(Pid)]),
    look(Circuit, erlang:monotonic_time(millisecond) + ?LOOK_TIME).

%% A process that the VM did not suspend in that time is not waited for again.
look(Circuit, Until) ->
    Known = known(?KNOWN, #{}),
    Unknown = [Pid || Pid <- suspend_candidates(Circuit), not is_map_key(Pid, Known)],
    case Unknown =/= [] andalso erlang:monotonic_time(millisecond) < Until of
        true -> receive after 1 -> look(Circuit, Until) end;
        false -> remember(Unknown, goes_on)
    end.

%% Suspends those of the candidates that the VM suspends, or has suspended before. Returns the others.
suspend_candidates(Circuit) ->
    Known = known(?KNOWN, #{}),
    {Found, Others} = lists:partition(
        fun(Pid) -> maps:get(Pid, Known, unknown) =:= waits orelse is_suspended(Pid) end, known(?CANDIDATES, [])
    ),
    New = [Pid || Pid <- Found, suspend_process(Pid)],
    Suspended = New ++ known(?SUSPENDED, []),
    put(?SUSPENDED, Suspended),
    put(?CANDIDATES, Others),
    remember(New, waits),
    beamway_nif:suspended(Circuit, length(Suspended), length(New)),
    Others.

remember(Pids, What) ->
    Known =
        case known(?KNOWN, #{}) of
            Full when map_size(Full) >= ?KNOWN_MAX -> #{};
            Before -> Before
        end,
    put(?KNOWN, maps:merge(Known, maps:from_keys(Pids, What))).

known(Key, Default) ->
    case get(Key) of
        undefined -> Default;
        Value -> Value
    end.

is_suspended(Pid) -> erlang:process_info(Pid, status) =:= {status, suspended}.

%% The processes of kernel serve everybody.
may_be_suspended(Pid) ->
    case erlang:process_info(Pid, priority) of
        %% It has ended.
        undefined -> false;
        {priority, max} -> false;
        {priority, _} -> application:get_application(Pid) =/= {ok, kernel}
    end.

%% It has ended if this fails.
suspend_process(Pid) ->
    try
        erlang:suspend_process(Pid, [asynchronous, unless_suspending])
    catch
        error:_ -> false
    end.

resume_process(Pid) ->
    try
        erlang:resume_process(Pid)
    catch
        error:_ -> false
    end.

%% The message with the reason is under way.
end_with_circuit() ->
    receive
        {beamway_closed, _Reason} -> exit(connection_closed)
    after 5000 -> exit(connection_closed)
    end.

%% The packets of the VM, the last one first.
collect(_DHandle, Packets, Left) when Left =< 0 -> {more, Packets};
collect(DHandle, Packets, Left) ->
    case erlang:dist_ctrl_get_data(DHandle) of
        none -> {empty, Packets};
        {Size, _} = Packet -> collect(DHandle, [Packet | Packets], Left - Size - ?PACKET)
    end.

%%% The input handler

%% @private
input(DHandle, Circuit) ->
    receive
        {beamway_data, Batches, Cost} ->
            put_batches(DHandle, Batches),
            beamway_nif:taken(Circuit, Cost);
        ?UPGRADE ->
            ok
    end,
    ?MODULE:input(DHandle, Circuit).

put_batches(DHandle, Batches) ->
    try
        lists:foreach(fun(Batch) -> put_packets(DHandle, Batch) end, Batches)
    catch
        %% The VM has closed the connection.
        error:notsup -> exit(connection_closed)
    end.

%% Four at a time: a match costs more than what it does.
put_packets(DHandle, <<A:32, P:A/binary, B:32, Q:B/binary, C:32, R:C/binary, D:32, S:D/binary, Rest/binary>>) ->
    erlang:dist_ctrl_put_data(DHandle, P),
    erlang:dist_ctrl_put_data(DHandle, Q),
    erlang:dist_ctrl_put_data(DHandle, R),
    erlang:dist_ctrl_put_data(DHandle, S),
    put_packets(DHandle, Rest);
put_packets(DHandle, <<A:32, P:A/binary, Rest/binary>>) ->
    erlang:dist_ctrl_put_data(DHandle, P),
    put_packets(DHandle, Rest);
put_packets(_DHandle, <<>>) ->
    ok.

%%% Processes of the whole VM

%% They are linked to nobody: they serve the library, which lives as long as the VM.
keep() ->
    keep(beamway_pulse, pulse),
    keep(beamway_log, log).

keep(Name, Function) ->
    case whereis(Name) of
        undefined ->
            Pid = spawn_opt(?MODULE, Function, [], [{message_queue_data, off_heap}]),
            try
                register(Name, Pid)
            catch
                error:badarg -> exit(Pid, kill)
            end;
        _ ->
            ok
    end.

%% @private
%% As long as this process answers, the VM runs processes.
pulse() ->
    beamway_nif:pulse(),
    await_pulse().

await_pulse() ->
    receive
        _ -> ok
    end,
    ?MODULE:pulse().

%% @private
%% Another process than the one that answers: a handler of the logger may block.
log() ->
    beamway_nif:log(),
    await_line().

await_line() ->
    receive
        {beamway_log, Level, Target, Message, Fields, Dropped} ->
            line(Level, Target, Message, Fields, Dropped),
            beamway_nif:logged();
        _ ->
            ok
    end,
    ?MODULE:log().

line(Level, Target, Message, Fields, Dropped) ->
    Pairs = [[" ", Key, "=", Value] || {Key, Value} <- Fields],
    %% Without a domain: the default handler passes on those of OTP and events that have none.
    Metadata = #{beamway => #{target => Target, message => Message, fields => maps:from_list(Fields)}},
    [logger:warning("beamway: ~b log lines were dropped", [Dropped], Metadata) || Dropped > 0],
    logger:log(Level, "beamway: ~ts~ts", [Message, Pairs], Metadata).
