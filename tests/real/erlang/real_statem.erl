%% A gen_statem for the tests: a lock that postpones, counts and stops while it replies.
-module(real_statem).

-behaviour(gen_statem).

-export([start/1, init/1, callback_mode/0, closed/3, open/3]).

start(Name) -> gen_statem:start({local, Name}, ?MODULE, [], []).

callback_mode() -> state_functions.

init(_) -> {ok, closed, 0}.

closed({call, From}, open, Count) -> {next_state, open, Count, [{reply, From, opened}]};
closed({call, _}, pass, _) -> {keep_state_and_data, [postpone]};
closed(cast, open, Count) -> {next_state, open, Count};
closed({call, From}, {stop, Reply}, _) -> {stop_and_reply, normal, [{reply, From, Reply}]}.

open({call, From}, pass, Count) -> {keep_state, Count + 1, [{reply, From, {passed, Count + 1}}]};
open({call, From}, close, Count) -> {next_state, closed, Count, [{reply, From, closed}]};
open(cast, close, Count) -> {next_state, closed, Count}.
