%% Signals from one process to another arrive in the order sent, however the receiver is addressed: what must never
%% happen when a server answers and ends, a process ends at once, or one sender uses every form of address.
-module(real_order).

-export([stop_calls/2, stop_calls/3, short_lived/2, short_lived/3, addressed/2, last_words/2, last_words/3,
         parting_words/2, parting_words/3, cut_senders/2, cut_senders/4, receiver/2, dying/4, juggler/2, large_sink/2]).

-include("real.hrl").

-define(SMALL, <<"small">>).
-define(MIDDLE, <<0:(8 * 60000)>>).

%% So many processes, of which each does its share of 1 to Count, one after the other.
workers(Workers, Count, Fun) ->
    real:parallel([fun() -> Fun(lists:seq(N, Count, Workers)) end || N <- lists:seq(1, Workers)]),
    ok.

%% One in 20 carries 60 KB.
payload(N) when N rem 20 =:= 0 -> ?MIDDLE;
payload(_) -> ?SMALL.

%% Servers that reply and stop: the caller must get the reply, not the server's end.
stop_calls(Peer, Count) -> stop_calls(Peer, Count, 16).

stop_calls(Peer, Count, Workers) ->
    workers(Workers, Count, fun(Mine) -> [stop_call(Peer, N) || N <- Mine] end).

stop_call(Peer, N) ->
    Name = real:unique_name("stopping_"),
    {ok, Pid} = erpc:call(Peer, real_server, start, [Name], real:patience(20000)),
    Watch = monitor(process, Pid),
    Reply = {reply, N, payload(N)},
    Reason = element(1 + N rem 3, {normal, shutdown, {shutdown, N}}),
    Server = case N rem 2 of 0 -> Pid; 1 -> {Name, Peer} end,
    Got = try gen_server:call(Server, {stop, Reason, Reply}, real:patience(20000))
          catch exit:Why -> error({the_reply_was_lost, {server, Server}, {iteration, N}, Why}) end,
    ?equal(Reply, Got, {reply_of_a_stopping_server, N}),
    ?equal(Reason, ?recv({'DOWN', Watch, process, Pid, R}, R, end_of_the_server), end_of_the_server).

%% Processes that end at once: the spawn reply comes before anything else of them.
short_lived(Peer, Count) -> short_lived(Peer, Count, 16).

short_lived(Peer, Count, Workers) ->
    workers(Workers, Count, fun(Mine) ->
                                    process_flag(trap_exit, true),
                                    [short(N rem 5, Peer, N) || N <- Mine]
                            end).

short(0, Peer, N) -> ?equal({N, payload(N)}, erpc:call(Peer, real_signals, return, [{N, payload(N)}], real:patience(20000)), {erpc, N});
short(1, Peer, N) ->
    R = spawn_request(Peer, real_signals, quit, [{N, payload(N)}], [monitor, link]),
    P = receive {spawn_reply, R, ok, Q} -> Q;
                {'DOWN', R, _, _, _} -> error({down_before_the_spawn_reply, N})
        after real:patience(20000) -> error({no_spawn_reply, N}) end,
    ?recv({'DOWN', R, process, P, {N, _}}, {down, N}),
    ?recv({'EXIT', P, {N, _}}, {exit, N});
short(2, Peer, N) ->
    Self = self(),
    {P, M} = spawn_monitor(Peer, real_signals, say_and_quit, [Self, {said, N, payload(N)}, {quit, N}]),
    receive {said, N, _} -> ok; {'DOWN', M, _, _, _} -> error({down_before_the_message, N})
    after real:patience(20000) -> error({nothing_said, N, real:mailbox()}) end,
    ?recv({'DOWN', M, process, P, {quit, N}}, {down, N});
short(3, Peer, N) ->
    P = spawn_link(Peer, real_signals, quit, [{quit, N}]),
    %% Dropped if it came before the spawn reply.
    ?recv({'EXIT', P, {quit, N}}, {exit_of_a_linked_process, N});
short(4, Peer, N) ->
    Batch = [spawn_request(Peer, real_signals, quit, [M], [monitor]) || M <- lists:seq(1, 10)],
    [receive {spawn_reply, R, ok, _} -> ?recv({'DOWN', R, process, _, M}, {down, N, M});
             {'DOWN', R, _, _, _} -> error({down_before_the_spawn_reply, N, M})
     after real:patience(20000) -> error({no_spawn_reply, N, M}) end || {M, R} <- lists:zip(lists:seq(1, 10), Batch)].

%% Numbered messages of many senders to many receivers by pid, by their names, by their aliases and by names that move
%% from one receiver to another meanwhile. Each receiver sees the numbers of each sender rise; by the first three forms
%% nothing is lost.
addressed(Peer, Count) ->
    Self = self(),
    Tag = erlang:unique_integer([positive]),
    Moving = [list_to_atom("moving_" ++ integer_to_list(Tag) ++ "_" ++ integer_to_list(N)) || N <- lists:seq(1, 4)],
    Receivers = [begin
                     Name = real:unique_name("receiver_"),
                     {Pid, _} = spawn_monitor(Peer, ?MODULE, receiver, [Self, Name]),
                     {Pid, {Name, Peer}, ?recv({alias, Pid, Alias}, Alias, {alias_of, Pid})}
                 end || _ <- lists:seq(1, 8)],
    Pids = [Pid || {Pid, _, _} <- Receivers],
    Juggler = spawn(Peer, ?MODULE, juggler, [Moving, Pids]),
    Senders = 24,
    Each = Count div Senders,
    real:parallel([fun() -> send_numbered(Peer, list_to_tuple(Receivers), list_to_tuple(Moving), Each) end
                   || _ <- lists:seq(1, Senders)]),
    Juggler ! stop,
    [begin
         Pid ! {finish, Self, Senders},
         {Strays, Got, Done} = receive {result, Pid, S, G, D} -> {S, G, D};
                                      {'DOWN', _, process, _, Why} when Why =/= normal -> error({receiver_lost, Pid, Why})
                              after real:patience(40000) -> error({no_result_of, Pid}) end,
         ?equal([], Strays, {out_of_order_at, Pid}),
         ?equal(Done, Got, {counts_of_each_sender_at, Pid})
     end || Pid <- Pids],
    ok.

send_numbered(Peer, Receivers, Moving, Count) ->
    rand:seed(exsss),
    Sent = lists:foldl(
             fun(N, Sent) ->
                     case rand:uniform(10) of
                         1 ->
                             {element(rand:uniform(4), Moving), Peer} ! {n, self(), N, moving, payload(N)},
                             Sent;
                         Form ->
                             Index = rand:uniform(8),
                             To = element(1 + Form rem 3, element(Index, Receivers)),
                             To ! {n, self(), N, fixed, payload(N)},
                             maps:update_with(Index, fun(Old) -> Old + 1 end, 1, Sent)
                     end
             end, #{}, lists:seq(1, Count)),
    [element(1, element(Index, Receivers)) ! {sent, self(), maps:get(Index, Sent, 0)} || Index <- lists:seq(1, 8)].

%% Gives each name to another receiver again and again.
juggler(Names, Pids) ->
    [begin
         drop_name(Name),
         give_name(Name, lists:nth(rand:uniform(length(Pids)), Pids))
     end || Name <- Names],
    receive stop -> lists:foreach(fun drop_name/1, Names) after 1 -> juggler(Names, Pids) end.

%% Nobody may have the name, or a receiver that has one already.
drop_name(Name) -> try unregister(Name) catch error:badarg -> false end.

give_name(Name, Pid) -> try register(Name, Pid) catch error:badarg -> false end.

receiver(Boss, Name) ->
    register(Name, self()),
    Boss ! {alias, self(), alias()},
    receive_numbered(#{}, #{}, #{}, []).

%% Last: the highest number of each sender; Got: how many by fixed forms; Done: how many it says it sent so.
receive_numbered(Last, Got, Done, Strays) ->
    receive
        {n, From, N, Form, Payload} ->
            true = Payload =:= payload(N),
            Before = maps:get(From, Last, 0),
            Stray = if N > Before -> Strays; true -> [{From, {before, Before}, {now, N}, Form} | Strays] end,
            Count = case Form of fixed -> maps:update_with(From, fun(C) -> C + 1 end, 1, Got); moving -> Got end,
            receive_numbered(Last#{From => max(N, Before)}, Count, Done, Stray);
        {sent, From, Count} ->
            %% By pid, after all its other messages to this process.
            case maps:get(From, Got, 0) of
                Count -> receive_numbered(Last, Got, Done#{From => Count}, Strays);
                Other -> receive_numbered(Last, Got, Done#{From => Count}, [{From, {sent, Count}, {arrived, Other}} | Strays])
            end;
        {finish, From, Senders} when map_size(Done) =:= Senders ->
            From ! {result, self(), lists:sublist(Strays, 5), maps:to_list(maps:merge(maps:map(fun(_, _) -> 0 end, Done), Got)),
                    maps:to_list(Done)}
    end.

%% A process says its last words to many, by pid, name and alias, and ends: everyone has them before the DOWN or EXIT.
last_words(Peer, Count) -> last_words(Peer, Count, 8).

last_words(Peer, Count, Workers) ->
    workers(Workers, Count, fun(Mine) ->
                                    process_flag(trap_exit, true),
                                    Name = real:unique_name("watcher_"),
                                    register(Name, self()),
                                    Alias = alias(),
                                    [last_word(Peer, N, Name, Alias) || N <- Mine]
                            end).

last_word(Peer, N, Name, Alias) ->
    Self = self(),
    Theirs = real:unique_name("dying_"),
    {Words, Size} = case N rem 10 of 0 -> {2, 200000}; 1 -> {5, 60000}; _ -> {8, 100} end,
    Dying = spawn(Peer, ?MODULE, dying, [Theirs, [Self, {Name, node()}, Alias], Words, Size]),
    ?recv({ready, Dying}, {dying_process, N}),
    Monitors = case N rem 3 of
                   0 -> [monitor(process, Dying)];
                   1 -> [monitor(process, {Theirs, Peer})];
                   2 -> link(Dying), [monitor(process, Dying), monitor(process, {Theirs, Peer})]
               end,
    Dying ! {go, Self},
    [receive {word, Dying, M, Data} -> ?equal(Size, byte_size(Data), {size_of_word, N, M});
             {'DOWN', R, _, What, Why} -> error({down_before_the_last_word, {iteration, N}, {word, M}, What, Why,
                                                 lists:member(R, Monitors)});
             {'EXIT', Dying, Why} -> error({exit_before_the_last_word, {iteration, N}, {word, M}, Why})
     after real:patience(20000) -> error({words_missing, {iteration, N}, {word, M}, real:mailbox()}) end || M <- lists:seq(1, Words)],
    [?recv({'DOWN', R, process, _, {ended, Words}}, {down, N}) || R <- Monitors],
    N rem 3 =:= 2 andalso ?recv({'EXIT', Dying, {ended, Words}}, {exit, N}),
    ?none({word, Dying, _, _}, a_word_twice).

dying(Name, [Boss | _] = Forms, Words, Size) ->
    register(Name, self()),
    Boss ! {ready, self()},
    receive {go, _} -> ok end,
    Data = <<0:(8 * Size)>>,
    [lists:nth(1 + rand:uniform(3) rem 3, Forms) ! {word, self(), M, Data} || M <- lists:seq(1, Words)],
    exit({ended, Words}).

%% A message, then an exit signal, a cast by name then one by pid, unlink after link: the receiver sees them so.
parting_words(Peer, Count) -> parting_words(Peer, Count, 8).

parting_words(Peer, Count, Workers) ->
    workers(Workers, Count, fun(Mine) -> [parting(N rem 4, Peer, N) || N <- Mine] end).

parting(0, Peer, N) ->
    Self = self(),
    Name = real:unique_name("parting_"),
    P = spawn(Peer, fun() -> register(Name, self()), Self ! {ready, self()}, heard(Self, 0) end),
    ?recv({ready, P}, parting_process),
    [case rand:uniform(2) of 1 -> P ! {word, M, payload(N)}; 2 -> {Name, Peer} ! {word, M, payload(N)} end || M <- lists:seq(1, 10)],
    exit(P, kill),
    %% Killed, but only after all ten: it reports each as it comes, and its own signals keep their order too.
    M = monitor(process, P),
    ?recv({'DOWN', M, process, P, _}, {killed, N}),
    forget_heard(P);
parting(1, Peer, N) ->
    Name = real:unique_name("parting_"),
    {ok, P} = erpc:call(Peer, real_server, start, [Name], real:patience(20000)),
    [begin gen_server:cast({Name, Peer}, {M, payload(M)}), gen_server:cast(P, {M + 1, payload(M + 1)}) end || M <- lists:seq(1, 40, 2)],
    ?equal([{cast, {M, payload(M)}} || M <- lists:seq(1, 40)], gen_server:call({Name, Peer}, seen, real:patience(20000)), {casts, N}),
    gen_server:cast(P, last),
    ok = gen_server:stop({Name, Peer}, normal, real:patience(20000));
parting(2, Peer, _) ->
    P = spawn(Peer, real_signals, idle, []),
    [begin link(P), unlink(P) end || _ <- lists:seq(1, 20)],
    exit(P, would_kill_a_linked_one),
    M = monitor(process, P),
    ?recv({'DOWN', M, process, P, _}, end_of_an_unlinked_process);
parting(3, Peer, N) ->
    %% Trapping: messages and exit signals of one sender by turns, in every form, arrive by turns.
    Self = self(),
    Name = real:unique_name("parting_"),
    P = spawn(Peer, fun() -> process_flag(trap_exit, true), register(Name, self()), Self ! {ready, self(), alias()}, turns(Self, []) end),
    Alias = ?recv({ready, P, A}, A, trapping_process),
    [case M rem 4 of
         0 -> P ! {turn, M};
         1 -> exit(P, {turn, M});
         2 -> {Name, Peer} ! {turn, M};
         3 -> Alias ! {turn, M}
     end || M <- lists:seq(1, 40)],
    P ! report,
    ?equal(lists:seq(1, 40), ?recv({turns, P, Turns}, Turns, {turns, N}), {turns, N}).

turns(Boss, Seen) ->
    receive
        {turn, N} -> turns(Boss, [N | Seen]);
        {'EXIT', Boss, {turn, N}} -> turns(Boss, [N | Seen]);
        report -> Boss ! {turns, self(), lists:reverse(Seen)}
    end.

heard(Boss, Last) ->
    receive {word, N, _} when N =:= Last + 1 -> Boss ! {heard, self(), N}, heard(Boss, N);
            Other -> Boss ! {heard, self(), {disorder, Last, Other}}
    end.

forget_heard(P) ->
    receive
        {heard, P, {disorder, Last, Next}} -> error({disorder, {last, Last}, {next, Next}});
        {heard, P, _} -> forget_heard(P)
    after 0 -> ok
    end.

%% A sender of large messages to many receivers is killed in the middle: each receiver has whole messages only, from the
%% first on without a gap, and the connection lives.
cut_senders(Peer, Count) -> cut_senders(Peer, Count, 1000000, infinity).

%% With messages of that size, and so many to each receiver at most: all of them have to cross the line.
cut_senders(Peer, Count, Size, Most) ->
    Data = <<0:(8 * Size)>>,
    [cut_sender(Peer, N, Data, Most) || N <- lists:seq(1, Count)],
    ok.

cut_sender(Peer, Round, Data, Most) ->
    Self = self(),
    Sum = erlang:crc32(Data),
    %% That its receivers watch it the sender must hear itself: of that alone follows that their monitors came before.
    {Sender, M} = spawn_monitor(fun() ->
        Sinks = receive {sinks, All} -> All end,
        [receive {watching, Sink} -> ok end || Sink <- Sinks],
        Self ! {watched, self()},
        pour(Sinks, Data, 1, Most)
    end),
    Sinks = [spawn(Peer, ?MODULE, large_sink, [Self, Sender]) || _ <- lists:seq(1, 8)],
    Sender ! {sinks, Sinks},
    ?recv({watched, Sender}, {watched, Round}),
    timer:sleep(rand:uniform(20)),
    exit(Sender, kill),
    ?recv({'DOWN', M, process, Sender, killed}, {end_of_the_sender, Round}),
    Counts = [receive {poured, Sink, N, Sums, Order} ->
                      ?equal([], Sums -- [Sum], {damaged_message, Round}),
                      ?equal(true, Order, {order_of_large_messages, Round}),
                      N
              after real:patience(30000) -> error({no_down_at, Sink, Round}) end || Sink <- Sinks],
    %% The sender went round them: the last round ends with one of them.
    lists:max(Counts) - lists:min(Counts) =< 1 orelse error({lost_at_some_receiver, Round, Counts}),
    ?equal(lists:reverse(lists:sort(Counts)), Counts, {receivers_in_turn, Round}),
    [Sink ! stop || Sink <- Sinks].

pour(_, _, N, Most) when N > Most -> receive after infinity -> ok end;
pour(Sinks, Data, N, Most) ->
    [Sink ! {pour, N, Data} || Sink <- Sinks],
    pour(Sinks, Data, N + 1, Most).

large_sink(Boss, Sender) ->
    M = monitor(process, Sender),
    Sender ! {watching, self()},
    large_sink(Boss, M, 0, [], true).

large_sink(Boss, M, N, Sums, Order) ->
    receive
        {pour, Number, Data} ->
            large_sink(Boss, M, N + 1, lists:usort([erlang:crc32(Data) | Sums]), Order andalso Number =:= N + 1);
        {'DOWN', M, process, _, Reason} ->
            killed =:= Reason orelse exit(Boss, {down_because, Reason}),
            %% A process killed inside a fragmented message: its DOWN passes the rest of that one message on stock
            %% distribution too (OTP 25). Nothing else may.
            {Late, LateSum} = receive {pour, Last, Rest} -> {[Last], [erlang:crc32(Rest)]} after real:patience(1500) -> {[], []} end,
            Boss ! {poured, self(), N + length(Late), lists:usort(LateSum ++ Sums),
                    Order andalso lists:member(Late, [[], [N + 1]])},
            receive stop -> ok; {pour, Number, _} -> exit(Boss, {message_long_after_the_down, Number}) end
    end.
