%% As many messages as there is room for, for a time.
-module(real_load).

-export([pour/4, sink/0]).

-include("real.hrl").

%% So many pairs of processes, of which the first sends binaries of Size bytes to the other at Peer, for so many milliseconds. Gives how
%% many arrived.
pour(Peer, Pairs, Size, Time) ->
    Payload = binary:copy(<<7>>, Size),
    lists:sum(real:parallel([fun() -> pair(Peer, Payload, Time) end || _ <- lists:seq(1, Pairs)])).

pair(Peer, Payload, Time) ->
    Sink = spawn(Peer, ?MODULE, sink, []),
    send(Sink, Payload, erlang:monotonic_time(millisecond) + Time),
    Sink ! {count, self()},
    receive {Sink, Count} -> Count after real:patience(60000) -> error({no_count_of, Sink}) end.

send(Sink, Payload, End) ->
    [Sink ! Payload || _ <- lists:seq(1, 10)],
    case erlang:monotonic_time(millisecond) < End of
        true -> send(Sink, Payload, End);
        false -> ok
    end.

sink() -> sink(0).

sink(Count) ->
    receive
        Payload when is_binary(Payload) -> sink(Count + 1);
        {count, From} -> From ! {self(), Count}
    end.
