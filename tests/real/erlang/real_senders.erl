%% A process that floods a node, and others beside it.
-module(real_senders).

-export([beside/3, through_a_stop/2, flood/1, is_suspended/0, suspended/0, suspensions/0]).
-export([prepare/1, send_without_suspending/0, send_asynchronously/1, flood_as_kernel/1, is_held/0]).
-export([kill_sender/1, kill_controller/1, disconnect/1]).

-include("real.hrl").

%% So many calls alone, and beside a process that sends 100 KB messages as fast as it can. Gives the 99th percentiles in microseconds, how
%% often the VM said that the connection was busy when the caller sent, looks at both processes, how many found the caller and the other
%% one suspended, and how often the carrier has suspended one.
beside(Peer, Alone, Beside) ->
    {ok, Server} = erpc:call(Peer, real_server, start, []),
    Before = calls(Server, Alone, []),
    Caller = self(),
    Watcher = spawn(fun() -> erlang:system_monitor(self(), [busy_dist_port]), count_busy(Caller, 0) end),
    flood(Peer),
    timer:sleep(1000),
    Looker = spawn(fun() -> look(Caller, whereis(?MODULE), {0, 0, 0}) end),
    During = calls(Server, Beside, []),
    {Looks, Callers, Flooders} = ask(Looker),
    Busy = ask(Watcher),
    Suspensions = suspensions(),
    kill_sender(Peer),
    [p99(Before), p99(During), Busy, Looks, Callers, Flooders, Suspensions].

calls(_Server, 0, Times) -> Times;
calls(Server, N, Times) ->
    Begin = erlang:monotonic_time(microsecond),
    ?equal(N, gen_server:call(Server, {echo, N}, 60000), answer),
    calls(Server, N - 1, [erlang:monotonic_time(microsecond) - Begin | Times]).

p99(Times) -> lists:nth(max(1, length(Times) * 99 div 100), lists:sort(Times)).

count_busy(Caller, N) ->
    receive
        {monitor, Caller, busy_dist_port, _} -> count_busy(Caller, N + 1);
        {monitor, _, busy_dist_port, _} -> count_busy(Caller, N);
        {tell, From} -> From ! {self(), N}
    end.

look(Caller, Flooder, {Looks, Callers, Flooders}) ->
    receive
        {tell, From} -> From ! {self(), {Looks, Callers, Flooders}}
    after 1 ->
        Add = fun(Pid) -> case process_info(Pid, status) of {status, suspended} -> 1; _ -> 0 end end,
        look(Caller, Flooder, {Looks + 1, Callers + Add(Caller), Flooders + Add(Flooder)})
    end.

ask(Pid) ->
    Pid ! {tell, self()},
    receive {Pid, Answer} -> Answer end.

%% So many calls while another process floods the node, which is stopped meanwhile: for how many signals of the caller the VM had no room, and
%% how often the carrier has suspended a process.
through_a_stop(Peer, Count) ->
    {ok, Server} = erpc:call(Peer, real_server, start, []),
    Caller = self(),
    Watcher = spawn(fun() -> erlang:system_monitor(self(), [busy_dist_port]), count_busy(Caller, 0) end),
    flood(Peer),
    calls(Server, Count, []),
    Busy = ask(Watcher),
    kill_sender(Peer),
    {Busy, suspensions()}.

flood(Peer) ->
    Sink = spawn(Peer, real_pressure, sink, [0]),
    register(?MODULE, spawn(fun() -> pour(Sink, rand:bytes(100000)) end)),
    ok.

%% The same for a process that counts as one of kernel.
flood_as_kernel(Peer) ->
    flood(Peer),
    {group_leader, Leader} = process_info(whereis(kernel_sup), group_leader),
    group_leader(Leader, whereis(?MODULE)),
    ok.

%% Whether the VM suspends the process that floods.
is_held() -> process_info(whereis(?MODULE), status) =:= {status, suspended}.

prepare(Peer) ->
    persistent_term:put(?MODULE, spawn(Peer, real_pressure, sink, [0])),
    ok.

%% So many messages of a process that never waits; `too_old' before OTP 25.3. It is there still, since nobody suspends one that has ended.
send_asynchronously(Count) ->
    of_process(fun(Sink) ->
        try process_flag(async_dist, true) of
            _ ->
                Binary = rand:bytes(100000),
                [Sink ! {flood, Binary} || _ <- lists:seq(1, Count)],
                sent
        catch
            error:badarg -> "25" = erlang:system_info(otp_release), too_old
        end
    end).

%% Messages of a process that must not be suspended, until there has been no room for half a second.
send_without_suspending() ->
    of_process(fun(Sink) -> send_until_full(Sink, rand:bytes(100000), 0) end).

send_until_full(_Sink, _Data, 50) -> full;
send_until_full(Sink, Data, Refused) ->
    case erlang:send(Sink, {flood, Data}, [nosuspend]) of
        ok -> send_until_full(Sink, Data, 0);
        nosuspend -> timer:sleep(10), send_until_full(Sink, Data, Refused + 1)
    end.

%% What a process gives that sends to the sink of `prepare/1'. It stays a moment, in which it could be suspended.
of_process(Send) ->
    Sink = persistent_term:get(?MODULE),
    Self = self(),
    Sender = spawn_link(fun() -> Self ! {told, Send(Sink)}, receive stop -> ok end end),
    receive
        {told, Told} -> timer:sleep(500), Sender ! stop, Told
    end.

pour(Sink, Data) ->
    Sink ! {flood, Data},
    pour(Sink, Data).

is_suspended() -> is_held() andalso suspensions() > 0.

%% Processes that others have suspended. The VM itself suspends those that send while their node is being connected again.
suspended() ->
    Pids = [P || P <- processes(), P =/= self()],
    [S || P <- Pids, {suspending, Ss} <- [process_info(P, suspending)], S <- Ss].

suspensions() -> lists:sum([N || #{suspensions := N} <- maps:get(circuits, info(), [])]).

info() ->
    case init:get_argument(proto_dist) of
        {ok, [["beamway"]]} -> beamway:info();
        _ -> #{}
    end.

kill_sender(_Peer) ->
    exit(whereis(?MODULE), kill),
    real:until(fun() -> whereis(?MODULE) =:= undefined end, sender_gone),
    ok.

kill_controller(_Peer) ->
    [exit(P, kill) || P <- real_inside:carriers()],
    ok.

disconnect(Peer) ->
    erlang:disconnect_node(Peer),
    ok.
