%% Signals sent before the connection is up: the first one connects, the others wait in the virtual machine, in order.
-module(real_queued).

-export([prepare/1, run/2, silence/1]).

-include("real.hrl").

-define(LARGE, 300 * 1024).

%% A server on this node that outlives connections; gives what the other side needs to address it.
prepare(_) ->
    Name = real:unique_name("queued_"),
    Self = self(),
    Pid = spawn(fun() ->
                        process_flag(trap_exit, true),
                        register(Name, self()),
                        Self ! {ready, alias()},
                        serve([])
                end),
    {Name, Pid, ?recv({ready, Alias}, Alias, the_server)}.

%% Keeps what it saw until asked.
serve(Seen) ->
    receive
        {ask, From, Ref} -> From ! {Ref, lists:reverse(Seen)}, serve([]);
        {'EXIT', _, noconnection} -> serve(Seen);
        {'EXIT', _, normal} -> serve(Seen);
        Other -> serve([Other | Seen])
    end.

asked(Server) ->
    Ref = make_ref(),
    Server ! {ask, self(), Ref},
    ?recv({Ref, Seen}, Seen, answer_of_the_server).

%% Each way to open a connection, from a process that then goes on sending.
run(Peer, Address) ->
    lists:foreach(fun(First) -> round(Peer, Address, First) end,
                  [pid, name, alias, large, link, exit, monitor, monitor_name, spawn_request, spawn, spawn_link,
                   spawn_monitor, group_leader, traced, demonitored, many_senders]).

round(Peer, {_, Pid, _} = Address, First) ->
    asked(Pid),
    real:down(Peer),
    timer:sleep(30),
    Self = self(),
    {Sender, M} = spawn_monitor(fun() ->
                                        process_flag(trap_exit, true),
                                        Wanted = first(First, Peer, Address) ++ then(Peer, Address, First),
                                        Self ! {wanted, Wanted},
                                        receive done -> ok end
                                end),
    Wanted = receive {wanted, W} -> W;
                     {'DOWN', M, _, _, Why} -> error({sender_died, First, Why})
             after 20000 -> error({sender_hangs, First, process_info(Sender, current_stacktrace)}) end,
    real:until(fun() -> lists:member(Peer, nodes()) end, {connected_by, First}),
    %% The sender's last signal is by pid, and is followed by this question of its own.
    Got = case First of
              many_senders -> [X || X <- ask_through(Sender, Pid), not is_tuple(X) orelse element(1, X) =/= crowd];
              _ -> ask_through(Sender, Pid)
          end,
    ?equal(Wanted, Got, {order_of_queued_signals, First}),
    Sender ! done,
    ?recv({'DOWN', M, _, _, normal}, {end_of_the_sender, First}).

%% The messages arrived, all of them, once the last has.
ask_through(Sender, Pid) ->
    Last = {last, Sender},
    collect(Last, Pid, [], erlang:monotonic_time(millisecond) + 15000).

collect(Last, Pid, Seen, Deadline) ->
    Now = Seen ++ asked(Pid),
    case lists:member(Last, Now) of
        true -> Now;
        false ->
            erlang:monotonic_time(millisecond) < Deadline orelse error({never_arrived, Last, lists:sublist(Now, 10)}),
            timer:sleep(20),
            collect(Last, Pid, Now, Deadline)
    end.

%% Does the signal that opens the connection; gives what the server is to see of it.
first(pid, _, {_, Pid, _}) -> Pid ! {first, pid}, [{first, pid}];
first(name, Peer, {Name, _, _}) -> {Name, Peer} ! {first, name}, [{first, name}];
first(alias, _, {_, _, Alias}) -> Alias ! {first, alias}, [{first, alias}];
first(large, _, {_, Pid, _}) -> Large = <<7:(8 * ?LARGE)>>, Pid ! {first, Large}, [{first, Large}];
first(link, _, {_, Pid, _}) -> link(Pid), [];
first(exit, _, {_, Pid, _}) -> exit(Pid, {first, <<1:(8 * ?LARGE)>>}), [{'EXIT', self(), {first, <<1:(8 * ?LARGE)>>}}];
first(monitor, _, {_, Pid, _}) -> monitor(process, Pid), [];
first(monitor_name, Peer, {Name, _, _}) -> monitor(process, {Name, Peer}), [];
first(demonitored, _, {_, Pid, _}) -> demonitor(monitor(process, Pid)), [];
first(spawn_request, Peer, {_, Pid, _}) ->
    R = spawn_request(Peer, real_signals, say, [Pid, <<2:(8 * ?LARGE)>>], [monitor, link]),
    P = ?recv({spawn_reply, R, ok, Q}, Q, spawn_reply),
    ?recv({'DOWN', R, process, P, normal}, down_of_the_requested),
    [<<2:(8 * ?LARGE)>>];
first(spawn, Peer, {_, Pid, _}) ->
    {P, M} = spawn_monitor(Peer, real_signals, say, [Pid, {first, spawn}]),
    ?recv({'DOWN', M, process, P, normal}, spawned_before_up),
    [{first, spawn}];
first(spawn_link, Peer, {_, Pid, _}) ->
    P = spawn_link(Peer, real_signals, say_and_quit, [Pid, {first, spawn_link}, quick]),
    ?recv({'EXIT', P, quick}, exit_of_the_spawned),
    [{first, spawn_link}];
first(spawn_monitor, Peer, {_, Pid, _}) ->
    {P, M} = spawn_monitor(Peer, real_signals, say_and_quit, [Pid, {first, spawn_monitor}, quick]),
    ?recv({'DOWN', M, process, P, quick}, down_of_the_spawned),
    [{first, spawn_monitor}];
first(group_leader, _, {_, Pid, _}) -> group_leader(whereis(init), Pid), [];
first(traced, _, {_, Pid, _}) ->
    seq_trace:set_token(label, 5),
    Pid ! {first, traced},
    exit(Pid, {first, traced_exit}),
    seq_trace:set_token([]),
    [{first, traced}, {'EXIT', self(), {first, traced_exit}}];
first(many_senders, Peer, {Name, Pid, Alias}) ->
    Crowd = [spawn_monitor(fun() -> [To ! {crowd, self(), N} || N <- lists:seq(1, 50), To <- [Pid, {Name, Peer}, Alias]] end)
             || _ <- lists:seq(1, 30)],
    [?recv({'DOWN', M, process, P, normal}, one_of_the_crowd) || {P, M} <- Crowd],
    [].

%% Then 200 more in every form, without a pause, ending with one by pid.
then(Peer, {Name, Pid, Alias}, First) ->
    Large = <<3:(8 * ?LARGE)>>,
    Signals = [{N, element(1 + N rem 3, {Pid, {Name, Peer}, Alias})} || N <- lists:seq(1, 200)],
    Seen = [case N of
                50 -> Pid ! {large, Large}, {large, Large};
                51 -> {Name, Peer} ! {large_by_name, Large}, {large_by_name, Large};
                100 -> exit(Pid, {N, First}), {'EXIT', self(), {N, First}};
                _ -> To ! {N, First}, {N, First}
            end || {N, To} <- Signals],
    Pid ! {last, self()},
    Seen ++ [{last, self()}].

%% Without a connection this says so and opens none. A process of the other node may still have something to say to one here, which
%% connects.
silence(Peer) ->
    real:until(fun() ->
                       real:down(Peer),
                       erlang:send({no_such_name, Peer}, hello, [noconnect]) =:= noconnect
                           andalso not lists:member(Peer, nodes())
               end, noconnect).
