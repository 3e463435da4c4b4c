%% Numbered messages at a steady pace, while something changes.
-module(real_reload).

-export([ordered/4, receiver/1]).

-include("real.hrl").

-define(STEP, 20).

%% So many pairs of processes, each of which sends so many numbers to Peer within that time, in milliseconds. All arrive, in order.
ordered(Peer, Pairs, Count, Time) ->
    real:parallel([fun() -> pair(Peer, Count, Time) end || _ <- lists:seq(1, Pairs)]),
    ok.

pair(Peer, Count, Time) ->
    Receiver = spawn(Peer, ?MODULE, receiver, [Count]),
    Ref = monitor(process, Receiver),
    Start = erlang:monotonic_time(millisecond),
    send(Receiver, 1, Count, max(1, Count * ?STEP div Time), Start, Start),
    receive
        {'DOWN', Ref, process, Receiver, Reason} -> ?equal({all, Count}, Reason, numbers)
    after real:patience(60000) -> error({missing, Receiver})
    end.

send(_, Next, Count, _, _, _) when Next > Count -> ok;
send(Receiver, Next, Count, Burst, Start, Due) ->
    Last = min(Count, Next + Burst - 1),
    [Receiver ! {number, N} || N <- lists:seq(Next, Last)],
    timer:sleep(max(0, Due + ?STEP - erlang:monotonic_time(millisecond))),
    send(Receiver, Last + 1, Count, Burst, Start, Due + ?STEP).

receiver(Count) -> receiver(1, Count).

receiver(N, Count) when N > Count -> exit({all, Count});
receiver(N, Count) ->
    receive
        {number, N} -> receiver(N + 1, Count);
        Other -> exit({wanted, N, got, Other})
    end.
