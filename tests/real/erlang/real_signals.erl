%% Every operation of the distribution protocol, with and without a trace token, with small and large payloads.
-module(real_signals).

-export([messages/1, links/1, exits/1, monitors/1, spawns/1, group_leaders/1, puppet/1, puppet_of/2, do/2, kill/1,
         idle/0, say/2, return/1, quit/1, say_and_quit/3]).

-include("real.hrl").

-define(LARGE, 200000).

%% A remote process that does what its boss says and reports whatever else reaches it, in order.
puppet_of(Peer, Options) ->
    Boss = self(),
    Puppet = spawn(Peer, ?MODULE, puppet, [Boss]),
    lists:foreach(fun(trap_exit) -> do(Puppet, fun() -> process_flag(trap_exit, true) end);
                     ({name, Name}) -> do(Puppet, fun() -> register(Name, self()) end)
                  end, Options),
    Puppet.

puppet(Boss) ->
    receive
        {do, Ref, Fun} -> Result = Fun(), seq_trace:set_token([]), Boss ! {done, Ref, Result}, puppet(Boss);
        Other ->
            Token = case seq_trace:get_token() of [] -> none; _ -> {traced, element(2, seq_trace:get_token(label))} end,
            seq_trace:set_token([]),
            Boss ! {saw, self(), Other, Token},
            puppet(Boss)
    end.

do(Puppet, Fun) ->
    Ref = make_ref(),
    Puppet ! {do, Ref, Fun},
    ?recv({done, Ref, Result}, Result, {puppet, Puppet}).

kill(Puppet) ->
    Monitor = monitor(process, Puppet),
    exit(Puppet, kill),
    ?recv({'DOWN', Monitor, _, _, _}, {death_of, Puppet}).

%% What the puppet saw next.
saw(Puppet) -> ?recv({saw, Puppet, Message, Token}, {Message, Token}, {next_signal_at, Puppet}).

expect(Puppet, Message, Token) -> ?equal({Message, Token}, saw(Puppet), seen_by_the_puppet).

%% Everything the puppet saw is accounted for.
nothing_more(Puppet) ->
    do(Puppet, fun() -> ok end),
    ?none({saw, Puppet, _, _}, {another_signal_at, Puppet}).

traced(Label, Fun) ->
    seq_trace:set_token(label, Label),
    try Fun() after seq_trace:set_token([]) end.

idle() -> receive stop -> ok end.
say(To, What) -> To ! What, ok.
return(Value) -> Value.
quit(Reason) -> exit(Reason).
say_and_quit(To, What, Reason) -> To ! What, exit(Reason).

large() -> rand:bytes(?LARGE).

%% SEND_SENDER, REG_SEND, ALIAS_SEND, and each with a token.
messages(Peer) ->
    Name = real:unique_name("puppet_"),
    P = puppet_of(Peer, [{name, Name}]),
    Alias = do(P, fun() -> alias() end),
    Large = large(),
    lists:foreach(
      fun(To) ->
              To ! {plain, To}, expect(P, {plain, To}, none),
              To ! {large, Large}, expect(P, {large, Large}, none),
              traced(17, fun() -> To ! {token, To} end), expect(P, {token, To}, {traced, 17}),
              traced(18, fun() -> To ! {large_token, Large} end), expect(P, {large_token, Large}, {traced, 18}),
              traced({odd, <<"label">>}, fun() -> To ! odd end), expect(P, odd, {traced, {odd, <<"label">>}}),
              ok = erlang:send(To, checked, [noconnect]), expect(P, checked, none),
              ok = erlang:send(To, unsuspended, [nosuspend]), expect(P, unsuspended, none),
              To ! <<>>, expect(P, <<>>, none)
      end, [P, {Name, Peer}, Alias]),
    %% An alias that is no more, a name and a process that never were: silence, and the connection lives.
    true = do(P, fun() -> unalias(Alias) end),
    Alias ! to_nobody,
    {real_no_such_name, Peer} ! to_nobody,
    Gone = spawn(Peer, ?MODULE, return, [ok]),
    timer:sleep(20),
    Gone ! to_nobody,
    nothing_more(P),
    kill(P).

%% LINK, EXIT, UNLINK_ID and its acknowledgement.
links(Peer) ->
    process_flag(trap_exit, true),
    lists:foreach(
      fun(Reason) ->
              P = puppet_of(Peer, []),
              link(P),
              real:until(fun() -> do(P, fun() -> process_info(self(), links) end) =:= {links, [self()]}
                                      orelse do_links(P) end, link_arrived),
              P ! die,
              expect(P, die, none),
              P ! {do, make_ref(), fun() -> exit(Reason) end},
              ?equal(Reason, ?recv({'EXIT', P, R}, R, {exit_of, P}), link_exit_reason)
      end, [normal, because, {large, large()}]),
    traced_exit(Peer),
    %% The link made on the other side.
    Q = puppet_of(Peer, [trap_exit]),
    Self = self(),
    true = do(Q, fun() -> link(Self) end),
    ?equal(true, lists:member(Q, element(2, process_info(self(), links))), link_from_there),
    true = do(Q, fun() -> unlink(Self) end),
    do(Q, fun() -> ok end),
    ?equal(false, lists:member(Q, element(2, process_info(self(), links))), unlink_from_there),
    link(Q),
    unlink(Q),
    kill(Q),
    ?none({'EXIT', Q, _}, exit_after_unlink),
    %% Nobody there.
    link(Q),
    ?equal(noproc, ?recv({'EXIT', Q, R}, R, exit_of_a_dead_process), link_to_a_dead_process),
    %% A process here dies: the one there learns it.
    Z = puppet_of(Peer, [trap_exit]),
    Here = spawn(fun() -> link(Z), receive go -> exit({large, <<0:(8 * ?LARGE)>>}) end end),
    Here ! go,
    expect(Z, {'EXIT', Here, {large, <<0:(8 * ?LARGE)>>}}, none),
    %% Link, unlink and link again, many times, then the exit arrives once.
    [begin link(Z), unlink(Z) end || _ <- lists:seq(1, 500)],
    link(Z),
    exit(Z, kill),
    ?equal(killed, ?recv({'EXIT', Z, R2}, R2, exit_after_relink), exit_after_relink),
    ?none({'EXIT', Z, _}, second_exit),
    ok.

do_links(P) -> lists:member(self(), do(P, fun() -> element(2, process_info(self(), links)) end)).

traced_exit(Peer) ->
    P = puppet_of(Peer, []),
    link(P),
    P ! {do, make_ref(), fun() -> seq_trace:set_token(label, 9), exit({traced, <<0:(8 * ?LARGE)>>}) end},
    ?recv({'EXIT', P, {traced, _}}, traced_link_exit),
    seq_trace:set_token([]).

%% EXIT2, with every kind of reason and with a token.
exits(Peer) ->
    P = puppet_of(Peer, [trap_exit]),
    Self = self(),
    Large = large(),
    lists:foreach(fun(Reason) -> exit(P, Reason), expect(P, {'EXIT', Self, Reason}, none) end,
                  [because, normal, {with, [term, 1 bsl 100]}, {large, Large}]),
    traced(21, fun() -> exit(P, traced) end),
    {{'EXIT', Self, traced}, _} = saw(P),
    traced(22, fun() -> exit(P, {traced, Large}) end),
    {{'EXIT', Self, {traced, Large}}, _} = saw(P),
    M = monitor(process, P),
    exit(P, kill),
    ?equal(killed, ?recv({'DOWN', M, process, P, R}, R, death), exit_kill),
    %% What does not trap dies of any reason but normal.
    Q = spawn(Peer, ?MODULE, idle, []),
    N = monitor(process, Q),
    exit(Q, normal),
    exit(Q, {reason, Large}),
    ?equal({reason, Large}, ?recv({'DOWN', N, process, Q, R2}, R2, death), exit_of_an_untrapping_process),
    exit(Q, too_late),
    ok.

%% MONITOR_P, DEMONITOR_P and DOWN, by pid and by name.
monitors(Peer) ->
    lists:foreach(
      fun({By, Reason}) ->
              Name = real:unique_name("puppet_"),
              P = puppet_of(Peer, [{name, Name}]),
              {Whom, Shown} = case By of pid -> {P, P}; name -> {{Name, Peer}, {Name, Peer}} end,
              M = monitor(process, Whom),
              P ! {do, make_ref(), fun() -> exit(Reason) end},
              ?equal({Shown, Reason}, ?recv({'DOWN', M, process, S, R}, {S, R}, {down, By}), {down, By}),
              Late = monitor(process, Whom),
              ?equal({Shown, noproc}, ?recv({'DOWN', Late, process, S, R}, {S, R}, {late, By}), {late, By})
      end, [{By, Reason} || By <- [pid, name], Reason <- [normal, because, {large, large()}]]),
    Name = real:unique_name("puppet_"),
    P = puppet_of(Peer, [{name, Name}]),
    Dropped = [monitor(process, W) || _ <- lists:seq(1, 200), W <- [P, {Name, Peer}]],
    [true = demonitor(M, [flush, info]) || M <- Dropped],
    ?equal([], do(P, fun() -> element(2, process_info(self(), monitored_by)) end) -- [self()], monitors_left),
    Tagged = monitor(process, P, [{tag, {tagged, 1}}]),
    Aliased = monitor(process, P, [{alias, reply_demonitor}]),
    do(P, fun() -> Aliased ! first_reply, Aliased ! second_reply end),
    ?recv(first_reply, reply_by_alias),
    exit(P, kill),
    ?equal(killed, ?recv({{tagged, 1}, Tagged, process, P, R}, R, tagged_down), tagged_down),
    ?none({'DOWN', Aliased, _, _, _}, down_after_reply_demonitor),
    ?none(second_reply, reply_after_the_alias_is_gone),
    ?none({'DOWN', _, _, _, _}, down_of_a_dropped_monitor),
    traced(23, fun() ->
                       {Q, M} = spawn_monitor(Peer, ?MODULE, quit, [traced]),
                       ?equal(traced, ?recv({'DOWN', M, process, Q, R}, R, traced_down), traced_down)
               end),
    %% A process of the far side watches one here.
    W = puppet_of(Peer, []),
    Here = spawn(fun() -> receive go -> exit(gone) end end),
    There = do(W, fun() -> monitor(process, Here) end),
    Here ! go,
    expect(W, {'DOWN', There, process, Here, gone}, none),
    kill(W).

%% SPAWN_REQUEST and SPAWN_REPLY in all their forms.
spawns(Peer) ->
    process_flag(trap_exit, true),
    Self = self(),
    Large = large(),
    spawn(Peer, ?MODULE, say, [Self, {said, 1}]), ?recv({said, 1}, spawn),
    spawn(Peer, fun() -> Self ! {said, Large} end), ?recv({said, Large}, spawn_of_a_fun_with_a_large_environment),
    spawn(Peer, ?MODULE, say, [Self, {said, {2, Large}}]), ?recv({said, {2, Large}}, spawn_with_large_arguments),
    Linked = spawn_link(Peer, ?MODULE, say_and_quit, [Self, {said, 3}, done]),
    ?recv({said, 3}, spawn_link), ?recv({'EXIT', Linked, done}, exit_of_the_spawned),
    {Watched, M} = spawn_monitor(Peer, ?MODULE, say_and_quit, [Self, {said, 4}, done]),
    ?recv({said, 4}, spawn_monitor), ?recv({'DOWN', M, process, Watched, done}, down_of_the_spawned),
    {Both, N} = spawn_opt(Peer, ?MODULE, quit, [both], [link, monitor, {priority, high}, {min_heap_size, 500}]),
    ?recv({'DOWN', N, process, Both, both}, spawn_opt_down), ?recv({'EXIT', Both, both}, spawn_opt_exit),
    {Tagged, T} = spawn_opt(Peer, ?MODULE, quit, [tagged], [{monitor, [{tag, mine}]}]),
    ?recv({mine, T, process, Tagged, tagged}, spawn_opt_tag),
    requests(Peer, Large),
    Undefined = spawn_link(Peer, no_such_module, no_such_function, []),
    ?recv({'EXIT', Undefined, {undef, _}}, undef_of_the_spawned),
    traced(31, fun() -> spawn(Peer, ?MODULE, say, [Self, {said, 5}]) end),
    ?recv({said, 5}, traced_spawn),
    seq_trace:set_token([]),
    traced(32, fun() -> {P, R} = spawn_monitor(Peer, ?MODULE, quit, [Large]),
                        ?recv({'DOWN', R, process, P, Large}, traced_spawn_monitor) end),
    ok.

requests(Peer, Large) ->
    R1 = spawn_request(Peer, ?MODULE, quit, [Large], [monitor, link]),
    P1 = ?recv({spawn_reply, R1, ok, P}, P, spawn_reply),
    ?recv({'DOWN', R1, process, P1, Large}, down_of_the_requested),
    ?recv({'EXIT', P1, Large}, exit_of_the_requested),
    R2 = spawn_request(Peer, ?MODULE, quit, [now], [{reply_tag, {mine, 2}}, {reply, success_only}]),
    ?recv({{mine, 2}, R2, ok, _}, tagged_spawn_reply),
    R3 = spawn_request(Peer, ?MODULE, idle, [], [{reply, no}]),
    R4 = spawn_request(Peer, ?MODULE, idle, [], [no_such_option, monitor]),
    ?recv({spawn_reply, R4, error, badopt}, bad_option),
    R5 = spawn_request(Peer, ?MODULE, idle, [], [link, monitor]),
    case spawn_request_abandon(R5) of
        true -> ok;
        false -> ?recv({spawn_reply, R5, ok, _}, reply_before_abandon)
    end,
    timer:sleep(50),
    ?none({spawn_reply, R3, _, _}, reply_though_none_was_wanted),
    ?none({'DOWN', R5, _, _, _}, down_of_an_abandoned_request).

%% GROUP_LEADER, whose element 2 is not its sender.
group_leaders(Peer) ->
    P = puppet_of(Peer, []),
    Leader = spawn(fun idle/0),
    true = group_leader(Leader, P),
    ?equal(Leader, do(P, fun() -> group_leader() end), group_leader_there),
    There = spawn(Peer, ?MODULE, idle, []),
    true = group_leader(There, P),
    ?equal(There, do(P, fun() -> group_leader() end), remote_group_leader),
    kill(P).
