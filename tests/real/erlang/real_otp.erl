%% What OTP builds upon distribution.
-module(real_otp).

-export([servers/1, state_machines/1, remote_calls/1, global_names/1, groups/1, group_leaders/1, code_loading/1,
         capture/1, contend/3]).

-include("real.hrl").

remote(Peer, M, F, A) ->
    case rpc:call(Peer, M, F, A, 20000) of
        {badrpc, Reason} -> error({badrpc, Peer, M, F, Reason});
        Value -> Value
    end.

servers(Peer) ->
    Name = real:unique_name("server_"),
    {ok, Pid} = remote(Peer, real_server, start, [Name]),
    Large = rand:bytes(300000),
    lists:foreach(
      fun(Server) ->
              [?equal({echo, N, Server}, gen_server:call(Server, {echo, {echo, N, Server}}), echo) || N <- lists:seq(1, 50)],
              ?equal(Large, gen_server:call(Server, {echo, Large}), large_echo),
              ?equal(later, gen_server:call(Server, {later, 30, later}), late_reply),
              ?equal(Large, gen_server:call(Server, {reply_by_another, Large}), reply_by_another_process),
              {timeout, _} = exit_of(fun() -> gen_server:call(Server, silence, 50) end),
              Requests = [gen_server:send_request(Server, {echo, N}) || N <- lists:seq(1, 200)],
              [{reply, N} = gen_server:receive_response(R, 10000) || {N, R} <- lists:zip(lists:seq(1, 200), Requests)],
              [gen_server:cast(Server, N) || N <- lists:seq(1, 200)],
              ?equal([{cast, N} || N <- lists:seq(1, 200)], gen_server:call(Server, seen), order_of_casts)
      end, [Pid, {Name, Peer}]),
    Alias = gen_server:call(Pid, alias),
    [case N rem 3 of
         0 -> gen_server:cast({Name, Peer}, N);
         1 -> gen_server:cast(Pid, N);
         2 -> Alias ! {'$gen_cast', N}
     end || N <- lists:seq(1, 500)],
    ?equal([{cast, N} || N <- lists:seq(1, 500)], gen_server:call(Pid, seen), order_of_casts_in_every_form),
    ?equal({[{node(), 7}, {Peer, 7}], []}, multi_call(Name, Peer), multi_call),
    abcast = gen_server:abcast([Peer], Name, all),
    ?equal([{cast, all}], gen_server:call({Name, Peer}, seen), abcast),
    ok = gen_server:stop({Name, Peer}, normal, 5000),
    {noproc, _} = exit_of(fun() -> gen_server:call({Name, Peer}, seen) end),
    {noproc, _} = exit_of(fun() -> gen_server:call(Pid, seen) end),
    ok.

exit_of(Fun) -> try Fun() of Value -> error({no_exit, Value}) catch exit:Reason -> Reason end.

multi_call(Name, Peer) ->
    {ok, _} = real_server:start(Name),
    {Replies, Bad} = gen_server:multi_call([node(), Peer], Name, {echo, 7}, 10000),
    ok = gen_server:stop(Name),
    {lists:sort(fun({A, _}, {B, _}) -> (A =:= node()) >= (B =:= node()) end, Replies), Bad}.

state_machines(Peer) ->
    Name = real:unique_name("lock_"),
    {ok, Pid} = remote(Peer, real_statem, start, [Name]),
    lists:foreach(
      fun(Lock) ->
              Self = self(),
              %% Postponed until another process opens.
              spawn(fun() -> Self ! {lock, gen_statem:call(Lock, pass)} end),
              timer:sleep(20),
              opened = gen_statem:call(Lock, open),
              ?recv({lock, {passed, _}}, postponed_call),
              {passed, _} = gen_statem:call(Lock, pass),
              ok = gen_statem:cast(Lock, close),
              ok = gen_statem:cast(Lock, open),
              closed = gen_statem:call(Lock, close),
              Request = gen_statem:send_request(Lock, open),
              {reply, opened} = gen_statem:receive_response(Request, 10000),
              closed = gen_statem:call(Lock, close)
      end, [Pid, {Name, Peer}]),
    ?equal(bye, gen_statem:call({Name, Peer}, {stop, bye}), stop_and_reply),
    ok.

remote_calls(Peer) ->
    ?equal(Peer, rpc:call(Peer, erlang, node, []), rpc_call),
    {badrpc, {'EXIT', {oops, _}}} = rpc:call(Peer, erlang, error, [oops]),
    {badrpc, timeout} = rpc:call(Peer, timer, sleep, [5000], 50),
    true = rpc:cast(Peer, erlang, send, [self(), cast_by_rpc]), ?recv(cast_by_rpc, rpc_cast),
    ?equal({[Peer, node()], []}, rpc:multicall([Peer, node()], erlang, node, []), rpc_multicall),
    ?equal(lists:seq(2, 101), rpc:pmap({erlang, '+'}, [1], lists:seq(1, 100)), rpc_pmap),
    Key = rpc:async_call(Peer, lists, seq, [1, 5]),
    ?equal([1, 2, 3, 4, 5], rpc:yield(Key), rpc_async_call),
    Large = rand:bytes(400000),
    ?equal(Large, erpc:call(Peer, real_signals, return, [Large]), erpc_call),
    ?equal(Peer, erpc:call(Peer, fun() -> node() end), erpc_fun),
    {exception, oops, _} = try erpc:call(Peer, erlang, error, [oops]) catch error:R -> R end,
    oops = try erpc:call(Peer, erlang, throw, [oops]) catch throw:T -> T end,
    {erpc, timeout} = try erpc:call(Peer, timer, sleep, [5000], 50) catch error:E -> E end,
    ok = erpc:cast(Peer, erlang, send, [self(), {cast_by_erpc, Large}]), ?recv({cast_by_erpc, Large}, erpc_cast),
    ?equal([{ok, Peer}, {ok, node()}], erpc:multicall([Peer, node()], erlang, node, []), erpc_multicall),
    ok = erpc:multicast([Peer, node()], erlang, send, [self(), multicast]),
    ?recv(multicast, first_multicast), ?recv(multicast, second_multicast),
    Requests = [erpc:send_request(Peer, erlang, '+', [N, 1]) || N <- lists:seq(1, 300)],
    ?equal(lists:seq(2, 301), [erpc:receive_response(R, 10000) || R <- Requests], erpc_requests),
    ok.

global_names(Peer) ->
    ok = global:sync(),
    Name = {real_global, node(), erlang:unique_integer()},
    Pid = spawn(Peer, real_signals, idle, []),
    yes = global:register_name(Name, Pid),
    ?equal(Pid, global:whereis_name(Name), whereis_here),
    ?equal(Pid, remote(Peer, global, whereis_name, [Name]), whereis_there),
    no = remote(Peer, global, register_name, [Name, self()]),
    Pid ! stop,
    real:until(fun() -> global:whereis_name(Name) =:= undefined end, name_gone_here),
    real:until(fun() -> remote(Peer, global, whereis_name, [Name]) =:= undefined end, name_gone_there),
    {ok, Server} = gen_server:start({global, Name}, real_server, [], []),
    ?equal(hello, remote(Peer, gen_server, call, [{global, Name}, {echo, hello}]), call_by_global_name),
    ok = gen_server:stop(Server),
    %% Processes of both nodes contend for one lock: never two hold it.
    Lock = {real_lock, erlang:unique_integer()},
    Table = spawn(fun() -> referee(none, 0) end),
    Workers = [spawn_monitor(N, ?MODULE, contend, [Lock, Table, 10]) || N <- [node(), Peer], _ <- [1, 2]],
    [?equal(normal, receive {'DOWN', M, process, P, R} -> R after 25000 -> error(lock_never_free) end, lock_holder)
     || {P, M} <- Workers],
    Table ! {count, self()},
    ?equal(40, ?recv({count, N}, N, referee), times_held),
    ok.

contend(_, _, 0) -> ok;
contend(Lock, Referee, N) ->
    true = global:trans({Lock, self()}, fun() ->
                                                Referee ! {enter, self()},
                                                receive entered -> ok; refused -> exit(two_hold_the_lock) end,
                                                Referee ! {leave, self()},
                                                receive left -> true end
                                        end),
    contend(Lock, Referee, N - 1).

referee(Holder, Count) ->
    receive
        {enter, Pid} when Holder =:= none -> Pid ! entered, referee(Pid, Count + 1);
        {enter, Pid} -> Pid ! refused, referee(Holder, Count);
        {leave, Holder} -> Holder ! left, referee(none, Count);
        {count, From} -> From ! {count, Count}
    end.

groups(Peer) ->
    %% The pg of OTP 25 dies of what that of OTP 29 sends it, over stock distribution too.
    real:releases_apart(Peer) > 2 orelse groups_of_two_nodes(Peer).

groups_of_two_nodes(Peer) ->
    Scope = real:unique_name("scope_"),
    {ok, _} = pg:start(Scope),
    {ok, _} = remote(Peer, pg, start, [Scope]),
    Here = [spawn(fun real_signals:idle/0) || _ <- lists:seq(1, 20)],
    There = [spawn(Peer, real_signals, idle, []) || _ <- lists:seq(1, 20)],
    ok = pg:join(Scope, all, Here),
    [ok = remote(Peer, pg, join, [Scope, all, P]) || P <- There],
    All = lists:sort(Here ++ There),
    See = fun(Where, Members) ->
                  real:until(fun() ->
                                     lists:sort(remote(Where, pg, get_members, [Scope, all])) =:= Members
                             end, {group_seen_at, Where})
          end,
    See(node(), All), See(Peer, All),
    [P ! stop || P <- Here],
    See(node(), lists:sort(There)), See(Peer, lists:sort(There)),
    [P ! stop || P <- There],
    See(node(), []), See(Peer, []),
    %% Churn: joins and leaves, all by one process, end in agreement.
    Q = spawn(fun real_signals:idle/0),
    [begin ok = pg:join(Scope, all, Q), ok = pg:leave(Scope, all, Q) end || _ <- lists:seq(1, 200)],
    ok = pg:join(Scope, all, Q),
    See(Peer, [Q]),
    Q ! stop,
    ok.

%% Output of a process follows its group leader to the other node.
group_leaders(Peer) ->
    Self = self(),
    Leader = spawn(?MODULE, capture, [Self]),
    spawn(Peer, fun() -> group_leader(Leader, self()), io:format("hello ~p ~ts~n", [node(), [16#20AC]]), Self ! written end),
    ?recv(written, remote_output),
    ?equal(lists:flatten(io_lib:format("hello ~p ~ts~n", [Peer, [16#20AC]])), ?recv({output, T}, T, captured), captured),
    %% Inherited by spawn from the caller.
    Old = group_leader(),
    group_leader(Leader, self()),
    spawn(Peer, fun() -> io:put_chars("inherited") end),
    group_leader(Old, self()),
    ?equal("inherited", ?recv({output, T2}, T2, inherited_output), inherited_output),
    Leader ! stop,
    ok.

capture(Boss) ->
    receive
        {io_request, From, As, {put_chars, _, M, F, A}} -> written(Boss, From, As, apply(M, F, A));
        {io_request, From, As, {put_chars, _, Text}} -> written(Boss, From, As, Text);
        {io_request, From, As, _} -> From ! {io_reply, As, {error, request}}, capture(Boss);
        stop -> ok
    end.

written(Boss, From, As, Text) ->
    Boss ! {output, unicode:characters_to_list(Text)},
    From ! {io_reply, As, ok},
    capture(Boss).

code_loading(Peer) ->
    Module = real:unique_name("loaded_"),
    Filler = rand:bytes(100000),
    Forms = [{attribute, 1, module, Module}, {attribute, 2, export, [{who, 0}, {size, 0}]},
             {function, 3, who, 0, [{clause, 3, [], [], [{call, 3, {atom, 3, node}, []}]}]},
             {function, 4, size, 0, [{clause, 4, [], [],
                 [{call, 4, {atom, 4, byte_size},
                   [{bin, 4, [{bin_element, 4, {string, 4, binary_to_list(Filler)}, default, default}]}]}]}]}],
    {ok, Module, Binary} = remote(real:older(Peer), compile, forms, [Forms]),
    {module, Module} = remote(Peer, code, load_binary, [Module, "nofile", Binary]),
    ?equal(Peer, remote(Peer, Module, who, []), call_of_a_loaded_module),
    ?equal(100000, remote(Peer, Module, size, []), size_of_a_literal),
    %% And back: the object code of a module, fetched.
    {real, Object, _} = remote(Peer, code, get_object_code, [real]),
    {real, Object, _} = code:get_object_code(real),
    ok.
