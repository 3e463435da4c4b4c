%% A bank on mnesia: accounts on disc, counters in memory, both copied to every node and only written where most copies are
%% in reach. A transfer moves money between two accounts and counts itself, so two sums tell whether each happened once,
%% on every copy.
-module(real_mnesia).

-export([found/1, add/1, start/0, start_from/1, begin_transfers/0, await_transfers/1, end_transfers/0, books/0, told/0]).

-include("real.hrl").

-record(account, {number, balance}).
-record(count, {worker, transfers}).

-define(ACCOUNTS, 20).
-define(BALANCE, 1000).
-define(WORKERS, 6).

%% A schema and the tables, on all these nodes; this is one of them.
found(Nodes) ->
    [ok = erpc:call(Node, application, set_env, [mnesia, dir, folder(Node)]) || Node <- Nodes],
    ok = mnesia:create_schema(Nodes),
    [ok = erpc:call(Node, ?MODULE, start, []) || Node <- Nodes],
    create(account, record_info(fields, account), disc_copies, Nodes),
    create(count, record_info(fields, count), ram_copies, Nodes),
    {atomic, _} = mnesia:sync_transaction(
                    fun() -> [mnesia:write(#account{number = N, balance = ?BALANCE}) || N <- lists:seq(1, ?ACCOUNTS)] end),
    ok.

folder(Node) -> filename:join(os:getenv("HOME"), "mnesia." ++ atom_to_list(Node)).

create(Table, Fields, Copies, Nodes) ->
    {atomic, ok} = mnesia:create_table(Table, [{attributes, Fields}, {Copies, Nodes}, {majority, true}]).

%% Another node joins, and gets copies while the others go on.
add(Node) ->
    ok = erpc:call(Node, application, set_env, [mnesia, dir, folder(Node)]),
    ok = erpc:call(Node, ?MODULE, start, []),
    {ok, [Node]} = mnesia:change_config(extra_db_nodes, [Node]),
    {atomic, ok} = mnesia:change_table_copy_type(schema, Node, disc_copies),
    {atomic, ok} = mnesia:add_table_copy(account, Node, disc_copies),
    {atomic, ok} = mnesia:add_table_copy(count, Node, ram_copies),
    ok.

start() ->
    ok = mnesia:start(),
    Self = self(),
    spawn(fun() ->
                  whereis(real_mnesia_events) =:= undefined orelse unregister(real_mnesia_events),
                  register(real_mnesia_events, self()),
                  {ok, _} = mnesia:subscribe(system),
                  Self ! subscribed,
                  events([])
          end),
    ?recv(subscribed, subscribed),
    ok.

events(Seen) ->
    receive
        {mnesia_system_event, {inconsistent_database, Context, Node}} -> events([{Context, Node} | Seen]);
        {mnesia_system_event, _} -> events(Seen);
        {ask, From} -> From ! {events, lists:usort(Seen)}, events(Seen)
    end.

%% Which inconsistencies mnesia has told of since it was started.
told() ->
    real_mnesia_events ! {ask, self()},
    ?recv({events, Seen}, Seen, events).

%% Gives up what this node has and takes all from Master: the way out of a network that was parted.
start_from(Master) ->
    stopped = mnesia:stop(),
    ok = mnesia:set_master_nodes([Master]),
    ok = start(),
    ok = mnesia:wait_for_tables([account, count], 20000),
    ok = mnesia:set_master_nodes([]).

begin_transfers() ->
    Self = self(),
    spawn(fun() ->
                  register(real_bank, self()),
                  Workers = [spawn_monitor(fun() -> work({node(), N}, 0, #{}) end) || N <- lists:seq(1, ?WORKERS)],
                  Self ! working,
                  receive {stop, From} -> From ! {worked, [stop(Worker) || Worker <- Workers]} end
          end),
    ?recv(working, workers).

%% Waits until this node's workers have committed so many more.
await_transfers(More) -> await_count(own_transfers() + More).

await_count(Count) ->
    case own_transfers() >= Count of
        true -> ok;
        false -> timer:sleep(50), await_count(Count)
    end.

own_transfers() -> lists:sum([N || #count{worker = {Node, _}, transfers = N} <- ets:tab2list(count), Node =:= node()]).

stop({Pid, Monitor}) ->
    Pid ! stop,
    receive
        {'DOWN', Monitor, process, Pid, {did, Committed, Aborted}} -> {Committed, Aborted};
        {'DOWN', Monitor, process, Pid, Reason} -> error({worker, Reason})
    after 20000 -> error({worker_hangs, process_info(Pid, current_stacktrace)})
    end.

%% How many transfers were committed, and why others were not.
end_transfers() ->
    real_bank ! {stop, self()},
    Worked = receive {worked, W} -> W after 25000 -> error(bank_hangs) end,
    {lists:sum([Committed || {Committed, _} <- Worked]), lists:usort([R || {_, Aborted} <- Worked, R <- maps:keys(Aborted)])}.

work(Name, Committed, Aborted) ->
    receive
        stop -> exit({did, Committed, Aborted})
    after 0 ->
            case mnesia:transaction(fun() -> transfer(Name) end) of
                {atomic, ok} -> work(Name, Committed + 1, Aborted);
                {aborted, {no_majority, _} = Reason} ->
                    timer:sleep(20),
                    work(Name, Committed, Aborted#{Reason => true});
                {aborted, Reason} -> exit({aborted, Reason})
            end
    end.

transfer(Worker) ->
    [From, To] = [rand:uniform(?ACCOUNTS) || _ <- [1, 2]],
    Amount = rand:uniform(100),
    change(From, -Amount),
    change(To, Amount),
    Before = case mnesia:read(count, Worker, write) of
                 [] -> 0;
                 [#count{transfers = N}] -> N
             end,
    mnesia:write(#count{worker = Worker, transfers = Before + 1}).

change(Number, Amount) ->
    [#account{balance = Balance}] = mnesia:read(account, Number, write),
    mnesia:write(#account{number = Number, balance = Balance + Amount}).

%% This node's own copies: all the money; the transfers that each node's workers have counted; a fingerprint of both tables.
books() ->
    Accounts = lists:sort(ets:tab2list(account)),
    Counts = lists:sort(ets:tab2list(count)),
    Money = lists:sum([Balance || #account{balance = Balance} <- Accounts]),
    ?equal(?ACCOUNTS * ?BALANCE, Money, money_in_the_bank),
    Transfers = lists:foldl(fun(#count{worker = {Node, _}, transfers = N}, Sums) ->
                                    maps:update_with(Node, fun(Sum) -> Sum + N end, N, Sums)
                            end, #{}, Counts),
    {lists:sort(maps:to_list(Transfers)), erlang:phash2({Accounts, Counts})}.
