%% A gen_server for the tests: echoes, stops while it replies, counts what it is cast.
-module(real_server).

-behaviour(gen_server).

-export([start/0, start/1, init/1, handle_call/3, handle_cast/2, handle_info/2]).

start() -> gen_server:start(?MODULE, [], []).
start(Name) -> gen_server:start({local, Name}, ?MODULE, [], []).

init(_) -> {ok, []}.

handle_call({echo, Term}, _, Seen) -> {reply, Term, Seen};
handle_call({stop, Reply}, _, Seen) -> {stop, normal, Reply, Seen};
handle_call({stop, Reason, Reply}, _, Seen) -> {stop, Reason, Reply, Seen};
handle_call({later, Milliseconds, Reply}, From, Seen) ->
    erlang:send_after(Milliseconds, self(), {reply, From, Reply}),
    {noreply, Seen};
handle_call({reply_by_another, Reply}, From, Seen) ->
    spawn(fun() -> gen_server:reply(From, Reply) end),
    {noreply, Seen};
handle_call(silence, _, Seen) -> {noreply, Seen};
handle_call(alias, _, Seen) -> {reply, alias(), Seen};
handle_call(seen, _, Seen) -> {reply, lists:reverse(Seen), []}.

handle_cast(Message, Seen) -> {noreply, [{cast, Message} | Seen]}.

handle_info({reply, From, Reply}, Seen) -> gen_server:reply(From, Reply), {noreply, Seen};
handle_info(Message, Seen) -> {noreply, [{info, Message} | Seen]}.
