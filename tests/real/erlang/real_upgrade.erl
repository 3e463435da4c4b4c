%% Numbered messages between two nodes all the time, whatever becomes of their connection.
-module(real_upgrade).

-export([start/1, received/1, report/1]).

-include("real.hrl").

-define(PAUSE, 5).
-define(SENDERS, 4).

%% Senders that go on for ever: half of them send by name, half by pid. Each numbers the messages of one connection from 1.
start(Peer) ->
    Self = self(),
    spawn(fun() ->
                  register(in(Peer), self()),
                  Self ! listening,
                  take(#{}, 0, [])
          end),
    ?recv(listening, receiver),
    spawn(fun() -> register(out(Peer), self()), outages(Peer) end),
    [spawn(fun() -> send(Peer, N rem 2) end) || N <- lists:seq(1, ?SENDERS)],
    ok.

in(Peer) -> list_to_atom("in_" ++ atom_to_list(Peer)).
out(Peer) -> list_to_atom("out_" ++ atom_to_list(Peer)).

%% How many messages of Peer have arrived.
received(Peer) -> maps:get(received, ask(in(Peer))).

%% What is wrong with the messages of Peer, and how long each outage was, in milliseconds; the last may last.
report(Peer) -> {maps:get(wrong, ask(in(Peer))), ask(out(Peer))}.

ask(Name) ->
    Ref = make_ref(),
    Name ! {ask, self(), Ref},
    ?recv({Ref, Answer}, Answer, Name).

%% In each connection of each sender the numbers are 1, 2, 3 ...
take(Next, Count, Wrong) ->
    receive
        {number, Sender, Connection, N} ->
            Key = {Sender, Connection},
            case maps:get(Key, Next, 1) of
                N -> take(Next#{Key => N + 1}, Count + 1, Wrong);
                Other -> take(Next#{Key => N + 1}, Count + 1, [{wanted, Other, got, N} | Wrong])
            end;
        {ask, From, Ref} ->
            From ! {Ref, #{received => Count, wrong => lists:sublist(Wrong, 5)}},
            take(Next, Count, Wrong)
    end.

%% The connection that this process finds is watched from before its first message. Nothing but a ping connects.
send(Peer, How) ->
    monitor_node(Peer, true),
    case net_adm:ping(Peer) of
        pong ->
            case whereis_at(Peer) of
                Pid when is_pid(Pid) ->
                    To = case How of 0 -> Pid; 1 -> {in(node()), Peer} end,
                    send(Peer, To, make_ref(), 1);
                _ ->
                    ok
            end;
        pang ->
            ok
    end,
    monitor_node(Peer, false),
    timer:sleep(100),
    forget(Peer),
    send(Peer, How).

whereis_at(Peer) ->
    try erpc:call(Peer, erlang, whereis, [in(node())]) catch _:_ -> undefined end.

forget(Peer) ->
    receive {nodedown, Peer} -> forget(Peer) after 0 -> ok end.

send(Peer, To, Connection, N) ->
    receive
        {nodedown, Peer} -> ok
    after ?PAUSE ->
        case erlang:send(To, {number, self(), Connection, N}, [noconnect]) of
            ok -> send(Peer, To, Connection, N + 1);
            noconnect -> ok
        end
    end.

%% Each time that Peer was gone.
outages(Peer) ->
    ok = net_kernel:monitor_nodes(true),
    outages(Peer, none, []).

outages(Peer, Since, Seen) ->
    receive
        {nodedown, Peer} -> outages(Peer, now_ms(), Seen);
        {nodeup, Peer} when Since =/= none -> outages(Peer, none, [now_ms() - Since | Seen]);
        {ask, From, Ref} ->
            Lasts = [now_ms() - Since || Since =/= none],
            From ! {Ref, lists:reverse(Lasts ++ Seen)},
            outages(Peer, Since, Seen);
        _ ->
            outages(Peer, Since, Seen)
    end.

now_ms() -> erlang:monotonic_time(millisecond).
