%% A line that fails while small signals flow.
-module(real_line).

-export([ticking/2, sink/1]).

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
