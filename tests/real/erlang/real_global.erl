%% Global names on nodes that part and meet again.
-module(real_global).

-export([hold/1, contest/1, agreed/0, table/0, flood/1]).

-include("real.hrl").

%% So many names, each for a process of this node.
hold(Count) ->
    [yes = name({node(), N}) || N <- lists:seq(1, Count)],
    ok.

%% A name that another node may take too while the two do not see each other.
contest(Name) ->
    yes = name({contested, Name}),
    ok.

name(Name) ->
    Self = self(),
    Holder = spawn(fun() ->
                           Self ! {self(), global:register_name(Name, self())},
                           receive stop -> ok end
                   end),
    ?recv({Holder, Answer}, Answer, {global_name, Name}).

%% How many names there are, of which this node and all it sees know the same holders, all of them alive.
agreed() ->
    case lists:usort(erpc:multicall([node() | nodes()], ?MODULE, table, [], 5000)) of
        [{ok, Table}] ->
            [true = erpc:call(node(Pid), erlang, is_process_alive, [Pid], 5000) || {_, Pid} <- Table],
            length(Table);
        Tables -> {disagree, length(Tables)}
    end.

table() -> lists:sort([{Name, global:whereis_name(Name)} || Name <- global:registered_names()]).

%% A message to nobody at Peer every millisecond, as long as it is connected.
flood(Peer) ->
    spawn(fun() -> flood_on({real_nobody, Peer}) end),
    ok.

flood_on(Named) ->
    case erlang:send(Named, flood, [noconnect]) of
        ok -> timer:sleep(1), flood_on(Named);
        noconnect -> ok
    end.
