%% A line that fails while small signals flow.
-module(real_line).

-export([ticking/2, sink/1, last_words/2, pour/2, poured/1]).

-include("real.hrl").

%% A message every 10 ms for so many of them, by pid and by name in turn. Gives the longest pause between two arrivals:
%% when it ended (microseconds of the system's clock) and how long it was.
ticking(Peer, Count) ->
    Name = real:unique_name("ticks_"),
    Self = self(),
    Sink = spawn_link(Peer, ?MODULE, sink, [{Self, Name}]),
    receive {Sink, ready} -> ok end,
    tick(Sink, {Name, Peer}, 1, Count),
    ?recv({Sink, Pause}, Pause, arrivals).

tick(_, _, N, Count) when N > Count -> ok;
tick(Sink, Named, N, Count) ->
    case N rem 2 of
        0 -> Sink ! {tick, N};
        1 -> Named ! {tick, N}
    end,
    N =:= Count andalso (Sink ! {done, Count}),
    timer:sleep(10),
    tick(Sink, Named, N + 1, Count).

sink({From, Name}) ->
    register(Name, self()),
    From ! {self(), ready},
    sink(From, 1, os:system_time(microsecond), {0, 0}).

sink(From, N, Last, {_, Longest} = Pause) ->
    receive
        {tick, M} ->
            ?equal(N, M, number),
            Now = os:system_time(microsecond),
            case Now - Last of
                Long when Long > Longest -> sink(From, N + 1, Now, {Now, Long});
                _ -> sink(From, N + 1, Now, Pause)
            end;
        {done, Count} ->
            ?equal(Count, N - 1, ticks),
            From ! {self(), Pause}
    end.

%% Counts what Peer pours, until it is seen to go.
last_words(Name, Peer) ->
    Self = self(),
    spawn(fun() ->
                  register(Name, self()),
                  monitor_node(Peer, true),
                  Self ! listening,
                  count(Peer, 0)
          end),
    receive listening -> ok end.

count(Peer, N) ->
    receive
        {poured, M, _} -> ?equal(N + 1, M, number), count(Peer, M);
        {nodedown, Peer} -> count(Peer, N, nodedown)
    end.

count(Peer, N, nodedown) ->
    receive
        {poured, M, _} -> error({after_nodedown, M});
        {ask, From} -> From ! {self(), counted, N}, count(Peer, N, nodedown)
    end.

%% So many messages at once; or without end until the connection breaks.
pour(Named, Count) when is_integer(Count) ->
    [Named ! {poured, N, <<0:8000>>} || N <- lists:seq(1, Count)],
    ok;
pour(Named, endless) ->
    spawn(fun() -> pour_on(Named, 1) end),
    ok.

%% Without a connection nothing is sent: it would begin another one.
pour_on(Named, N) ->
    case erlang:send(Named, {poured, N, <<0:8000>>}, [noconnect]) of
        ok -> pour_on(Named, N + 1);
        noconnect -> ok
    end.

poured(Name) ->
    Name ! {ask, self()},
    ?recv({_, counted, N}, N, the_last_words).
