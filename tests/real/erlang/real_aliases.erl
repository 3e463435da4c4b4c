%% Signals addressed to aliases, of kinds that can be told apart by counting: each is answered, and the answers counted.
-module(real_aliases).

-export([calls/2, mixed/2, echo/0]).

-include("real.hrl").

-define(AT_ONCE, 50).

%% Calls of fresh processes: each reply goes to the alias that belongs to the caller's monitor.
calls(Peer, Count) ->
    {ok, Server} = erpc:call(Peer, real_server, start, []),
    in_batches(Count, fun(N) -> ?equal(N, gen_server:call(Server, {echo, N}, 20000), reply) end).

%% Aliases without a monitor; one process in ten makes a call before.
mixed(Peer, Count) ->
    {ok, Server} = erpc:call(Peer, real_server, start, []),
    Echo = spawn(Peer, ?MODULE, echo, []),
    in_batches(Count, fun(N) ->
                              N rem 10 =:= 0 andalso ?equal(N, gen_server:call(Server, {echo, N}, 20000), reply),
                              Alias = alias(),
                              Echo ! {Alias, N},
                              ?recv({echo, N}, {echo_by_alias, N})
                      end).

echo() -> receive {Alias, N} -> Alias ! {echo, N}, echo() end.

in_batches(0, _) -> ok;
in_batches(Left, Fun) ->
    real:parallel([fun() -> Fun(Left - N) end || N <- lists:seq(0, ?AT_ONCE - 1)]),
    in_batches(Left - ?AT_ONCE, Fun).
