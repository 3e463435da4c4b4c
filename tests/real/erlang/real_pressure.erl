%% Many callers beside a flood.
-module(real_pressure).

-export([calls/3, keep_calling/2, stop_calling/0, flood/2, flood/3, transfers/3, stop_flood/0, sink/1, meter/0, metered/0]).

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

%% The same again and again, each for half a second, until `stop_calling'. That gives the 99th percentile of each, in order.
keep_calling(Peer, Callers) ->
    register(?MODULE, spawn(fun() -> keep_calling(Peer, Callers, []) end)),
    ok.

keep_calling(Peer, Callers, Times) ->
    receive
        {stop, From} -> From ! {times, lists:reverse(Times)}
    after 0 ->
        {_, Time} = calls(Peer, Callers, 500),
        keep_calling(Peer, Callers, [Time | Times])
    end.

stop_calling() ->
    ?MODULE ! {stop, self()},
    receive {times, Times} -> Times end.

%% Processes that send large messages to a process of Peer as fast as it takes them.
flood(Peer, Count) -> flood(Peer, Count, 100000).

flood(Peer, Count, Size) ->
    Sink = spawn(Peer, ?MODULE, meter, []),
    Pids = [spawn(fun() -> pour(Sink, rand:bytes(Size)) end) || _ <- lists:seq(1, Count)],
    persistent_term:put(?MODULE, Pids),
    ok.

pour(Sink, Data) ->
    Sink ! {flood, Data},
    receive stop -> ok after 0 -> pour(Sink, Data) end.

sink(N) ->
    receive
        {flood, _} -> sink(N + 1);
        {arrived, From} -> From ! arrived, sink(N)
    end.

%% A sink that counts the bytes of messages where `metered' finds them.
meter() ->
    Counter = counters:new(1, []),
    persistent_term:put({?MODULE, meter}, Counter),
    meter(Counter).

meter(Counter) ->
    receive {flood, Data} -> counters:add(Counter, 1, byte_size(Data)) end,
    meter(Counter).

%% Bytes that have come from the last flood, and when, in microseconds.
metered() ->
    {counters:get(persistent_term:get({?MODULE, meter}), 1), erlang:monotonic_time(microsecond)}.

%% Processes that send 256 KB each to one of their own at Peer, again and again when it has arrived; fenced, if each is followed by
%% a message to a name, which must wait for it.
transfers(Peer, Count, IsFenced) ->
    Transfer = fun(N) ->
        Sink = spawn(Peer, ?MODULE, sink, [0]),
        Name = list_to_atom("sink" ++ integer_to_list(N)),
        true = erpc:call(Peer, erlang, register, [Name, Sink]),
        transfer(Sink, {Name, Peer}, IsFenced, rand:bytes(256000))
    end,
    Pids = [spawn(fun() -> Transfer(N) end) || N <- lists:seq(1, Count)],
    persistent_term:put(?MODULE, Pids),
    ok.

transfer(Sink, Name, IsFenced, Data) ->
    Sink ! {flood, Data},
    case IsFenced of
        true -> Name ! {arrived, self()};
        false -> Sink ! {arrived, self()}
    end,
    receive
        stop -> exit(Sink, kill);
        arrived -> transfer(Sink, Name, IsFenced, Data)
    end.

stop_flood() ->
    [Pid ! stop || Pid <- persistent_term:get(?MODULE)],
    ok.
