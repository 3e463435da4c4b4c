#!/usr/bin/env escript
%% Publishes to RabbitMQ and consumes from it, and counts: nothing that was confirmed may be missing or damaged.
%%
%%   amqp.escript declare ADDRESS QUEUE TYPE             a durable queue of type quorum or classic
%%   amqp.escript publish SECONDS QUEUE FILE ADDRESS...  to the first address, to the next when that one fails
%%   amqp.escript consume ADDRESS QUEUE FILE             all there is; FILE tells what was confirmed
-mode(compile).

-include_lib("amqp_client/include/amqp_client.hrl").

%% Messages published and not confirmed yet, at most.
-define(OUTSTANDING, 100).
%% How long a queue may be unavailable before the run has failed, in milliseconds.
-define(PATIENCE, 60000).

-record(load, {addresses, queue, channel, connection, until, next = 1, tags = #{}, confirmed = [], unknown = 0, connects = 0}).

main(Arguments) ->
    logger:set_primary_config(level, none),
    {ok, _} = application:ensure_all_started(amqp_client),
    do(Arguments).

do(["declare", Address, Queue, Type]) ->
    {ok, _, Channel} = connect(Address),
    Arguments = [{<<"x-queue-type">>, longstr, list_to_binary(Type)}],
    #'queue.declare_ok'{} =
        amqp_channel:call(Channel, #'queue.declare'{queue = list_to_binary(Queue), durable = true, arguments = Arguments}),
    ok;
do(["publish", Seconds, Queue, File | Addresses]) ->
    Until = now_ms() + 1000 * list_to_integer(Seconds),
    Load = publish(reconnect(#load{addresses = Addresses, queue = list_to_binary(Queue), until = Until})),
    #load{confirmed = Confirmed, unknown = Unknown, connects = Connects} = Load,
    ok = file:write_file(File, term_to_binary(Confirmed)),
    io:format("~b published and confirmed, ~b without an answer, ~b connections~n", [length(Confirmed), Unknown, Connects]);
do(["consume", Address, Queue, File]) ->
    {ok, Binary} = file:read_file(File),
    Confirmed = sets:from_list(binary_to_term(Binary), [{version, 2}]),
    {ok, _, Channel} = connect(Address),
    #'basic.qos_ok'{} = amqp_channel:call(Channel, #'basic.qos'{prefetch_count = 500}),
    amqp_channel:subscribe(Channel, #'basic.consume'{queue = list_to_binary(Queue)}, self()),
    receive #'basic.consume_ok'{} -> ok end,
    Received = consume(Channel, Confirmed, []),
    report(Confirmed, Received).

connect(Address) ->
    Parameters = #amqp_params_network{host = Address, username = <<"app">>, password = <<"secret">>, connection_timeout = 2000},
    case amqp_connection:start(Parameters) of
        {ok, Connection} ->
            case amqp_connection:open_channel(Connection) of
                {ok, Channel} -> {ok, Connection, Channel};
                Error -> Error
            end;
        Error -> Error
    end.

%% What is outstanding on a connection that is lost has no answer: it may be in the queue or not.
reconnect(#load{tags = Tags, unknown = Unknown} = Load) ->
    reconnect(Load#load{tags = #{}, unknown = Unknown + map_size(Tags)}, now_ms() + ?PATIENCE).

reconnect(#load{addresses = [Address | Others] = All, connects = Connects} = Load, Deadline) ->
    now_ms() < Deadline orelse fail("nobody of ~p takes a connection", [All]),
    case catch connect(Address) of
        {ok, Connection, Channel} ->
            monitor(process, Connection),
            monitor(process, Channel),
            #'confirm.select_ok'{} = amqp_channel:call(Channel, #'confirm.select'{}),
            ok = amqp_channel:register_confirm_handler(Channel, self()),
            Load#load{connection = Connection, channel = Channel, connects = Connects + 1};
        _ ->
            timer:sleep(200),
            reconnect(Load#load{addresses = Others ++ [Address]}, Deadline)
    end.

publish(#load{until = Until, tags = Tags} = Load) ->
    Now = now_ms(),
    if
        Now >= Until andalso map_size(Tags) =:= 0 -> Load;
        Now > Until + ?PATIENCE -> fail("~b messages were never confirmed", [map_size(Tags)]);
        Now >= Until; map_size(Tags) >= ?OUTSTANDING -> answer(Load, 1000);
        true -> answer(send(Load), 0)
    end.

send(#load{channel = Channel, queue = Queue, next = Number, tags = Tags} = Load) ->
    Body = rand:bytes(rand:uniform(4000)),
    Payload = <<Number:64, (erlang:crc32(Body)):32, Body/binary>>,
    Message = #amqp_msg{props = #'P_basic'{delivery_mode = 2}, payload = Payload},
    try
        Tag = amqp_channel:next_publish_seqno(Channel),
        ok = amqp_channel:cast(Channel, #'basic.publish'{routing_key = Queue}, Message),
        Load#load{next = Number + 1, tags = Tags#{Tag => Number}}
    catch
        exit:_ -> lost(Load)
    end.

answer(#load{channel = Channel, connection = Connection} = Load, Wait) ->
    receive
        #'basic.ack'{delivery_tag = Tag, multiple = Multiple} -> publish(confirm(Tag, Multiple, Load));
        #'basic.nack'{delivery_tag = Tag, multiple = Multiple} -> publish(refuse(Tag, Multiple, Load));
        {'DOWN', _, process, Pid, _} when Pid =:= Channel; Pid =:= Connection -> publish(lost(Load));
        {'DOWN', _, process, _, _} -> publish(Load)
    after Wait -> publish(Load)
    end.

lost(#load{connection = Connection, addresses = [Address | Others]} = Load) ->
    catch amqp_connection:close(Connection, 1000),
    flush(),
    reconnect(Load#load{addresses = Others ++ [Address]}).

%% Confirmations of a channel that is gone: its numbers begin again.
flush() ->
    receive
        #'basic.ack'{} -> flush();
        #'basic.nack'{} -> flush()
    after 0 -> ok
    end.

confirm(Tag, Multiple, #load{confirmed = Confirmed} = Load) ->
    {Numbers, Left} = answered(Tag, Multiple, Load),
    Load#load{tags = Left, confirmed = Numbers ++ Confirmed}.

refuse(Tag, Multiple, #load{unknown = Unknown} = Load) ->
    {Numbers, Left} = answered(Tag, Multiple, Load),
    Load#load{tags = Left, unknown = Unknown + length(Numbers)}.

answered(Tag, false, #load{tags = Tags}) ->
    {Number, Left} = maps:take(Tag, Tags),
    {[Number], Left};
answered(Tag, true, #load{tags = Tags}) ->
    Left = maps:filter(fun(Other, _) -> Other > Tag end, Tags),
    {maps:values(maps:without(maps:keys(Left), Tags)), Left}.

%% Until nothing comes any more, newest first.
consume(Channel, Missing, Received) ->
    Wait = case sets:is_empty(Missing) of true -> 2000; false -> ?PATIENCE end,
    receive
        {#'basic.deliver'{delivery_tag = Tag}, #amqp_msg{payload = <<Number:64, Sum:32, Body/binary>>}} ->
            Sum =:= erlang:crc32(Body) orelse fail("message ~b is damaged", [Number]),
            amqp_channel:cast(Channel, #'basic.ack'{delivery_tag = Tag}),
            consume(Channel, sets:del_element(Number, Missing), [Number | Received])
    after Wait -> lists:reverse(Received)
    end.

report(Confirmed, Received) ->
    Distinct = lists:usort(Received),
    Missing = length([N || N <- sets:to_list(Confirmed), not ordsets:is_element(N, Distinct)]),
    Order = case Received =:= lists:sort(Received) of true -> "in order"; false -> "not in order" end,
    io:format("~b received, ~b of them twice, ~s; ~b of ~b confirmed are missing~n",
              [length(Received), length(Received) - length(Distinct), Order, Missing, sets:size(Confirmed)]),
    Missing =:= 0 orelse fail("confirmed messages are lost", []).

now_ms() -> erlang:monotonic_time(millisecond).

fail(Format, Arguments) ->
    io:format("FAILED: " ++ Format ++ "~n", Arguments),
    halt(1).
