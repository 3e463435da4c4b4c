%% Many callers beside a flood.
-module(real_pressure).

-export([calls/3, flood/2, fenced_flood/2, stop_flood/0, sink/1]).

-include("real.hrl").

%% So many callers of a server at Peer for so many milliseconds: how many calls a second, and the 99th percentile of their
%% round trips in microseconds. Every answer is compared.
calls(Peer, Callers, Milliseconds) ->
    {ok, Server} = erpc:call(Peer, real_server, start, []),
    End = erlang:monotonic_time(microsecond) + Milliseconds * 1000,
    Times = lists:append(real:parallel([fun() -> call(Server, N, End, []) end || N <- lists:seq(1, Callers)])),
    Sorted = lists:sort(Times),
    erpc:call(Peer, gen_server, stop, [Server]),
    {length(Sorted) * 1000 div Milliseconds, lists:nth(length(Sorted) * 99 div 100, Sorted)}.

call(Server, N, End, Times) ->
    case erlang:monotonic_time(microsecond) of
        Begin when Begin >= End -> Times;
        Begin ->
            ?equal(N, gen_server:call(Server, {echo, N}, 60000), answer),
            call(Server, N + 1, End, [erlang:monotonic_time(microsecond) - Begin | Times])
    end.

%% Processes that send large messages to a process of Peer as fast as it takes them.
flood(Peer, Count) ->
    Sink = spawn(Peer, ?MODULE, sink, [0]),
    Pids = [spawn(fun() -> pour(Sink, rand:bytes(100000)) end) || _ <- lists:seq(1, Count)],
    persistent_term:put(?MODULE, Pids),
    ok.

pour(Sink, Data) ->
    Sink ! {flood, Data},
    receive stop -> ok after 0 -> pour(Sink, Data) end.

sink(N) ->
    receive {flood, _} -> sink(N + 1) end.

%% The same, and each message is followed by one to a name, which waits for it.
fenced_flood(Peer, Count) ->
    Sink = spawn(Peer, ?MODULE, sink, [0]),
    true = erpc:call(Peer, erlang, register, [?MODULE, Sink]),
    Pour = fun Pour(Data) ->
        Sink ! {flood, Data},
        {?MODULE, Peer} ! {flood, <<>>},
        receive stop -> ok after 0 -> Pour(Data) end
    end,
    Pids = [spawn(fun() -> Pour(rand:bytes(100000)) end) || _ <- lists:seq(1, Count)],
    persistent_term:put(?MODULE, Pids),
    ok.

stop_flood() ->
    [Pid ! stop || Pid <- persistent_term:get(?MODULE)],
    ok.
