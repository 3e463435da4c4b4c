%% The Erlang side of `beamway demo`, and what `beamway bench` (bench/beamway_bench.erl) builds on: measures between two
%% nodes and verifies what arrived. demo/native/ is the same as a Rust program. The two understand each other: what changes
%% here changes there.
%%
%% Every node runs main/0. It reads one command per line from standard input (an Erlang term), runs it, and prints one
%% line `beamway_testbed {JSON}`. End of input halts the node, so no node outlives the program that started it. The far
%% side of a measurement is made of processes that the service `beamway_testbed` of the far node starts on request; they
%% end when the process that asked for them ends.
%%
%% Times are in microseconds, sizes in bytes. A command whose far side counted or saw something else than what was sent
%% answers `"verified":false` and says in `wrong` what differed.
-module(beamway_testbed).
-behaviour(gen_server).

-export([main/0, main/1, command/1]).
%% For beamway_bench.
-export([prepare/0, start/2, servers/1, senders/4, flowing/1, sent/2, one_by_one/5, every/3, call/3]).
-export([echo_verdict/2, both/2, verdict/3, now_us/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(ANSWER_MS, 30000).
%% A prime close to 1 MB: rotations of such a block never line up with fragments or chunks of 2^n bytes, so pieces that
%% are swapped on the way cannot go unnoticed.
-define(BLOCK, 1000003).
%% What that block is made from.
-define(SEED, 4471).

%%% The node that is driven by standard input

main() ->
    main(?MODULE).

%% `Module:command/1` does what a line says.
main(Module) ->
    Self = self(),
    prepare(),
    spawn_link(fun() -> read(Self) end),
    answer(#{ready => true}),
    obey(Module).

prepare() ->
    persistent_term:put(?MODULE, block()),
    {ok, Service} = gen_server:start({local, ?MODULE}, ?MODULE, service, []),
    Service.

read(Main) ->
    case io:get_line("") of
        Line when is_list(Line) ->
            Main ! {line, Line},
            read(Main);
        _ ->
            erlang:halt(0, [{flush, false}])
    end.

obey(Module) ->
    receive
        {line, Line} ->
            %% A process of its own per command: whatever it started elsewhere watches it and ends with it.
            {_, Monitor} = spawn_monitor(fun() -> answer(obey(Module, Line)), exit(answered) end),
            receive
                {'DOWN', Monitor, process, _, answered} -> ok;
                {'DOWN', Monitor, process, _, Reason} -> answer(failure(Reason))
            end,
            obey(Module)
    end.

obey(Module, Line) ->
    {ok, Tokens, _} = erl_scan:string(Line),
    {ok, Command} = erl_parse:parse_term(Tokens),
    Module:command(Command).

command({ping, Node}) ->
    #{pong => net_adm:ping(Node) =:= pong};
command(nodes) ->
    #{nodes => [atom_to_binary(Node) || Node <- lists:sort(nodes())]};
command({disconnect, Node}) ->
    #{disconnected => erlang:disconnect_node(Node) =:= true};
command({calls, Node, Callers, Ms}) ->
    calls(Node, Callers, Ms);
command({transfer, Node, Size, Most, Ms}) ->
    transfer(Node, Size, Most, Ms);
command({round_trips, Node, Ms, Bulk}) ->
    round_trips(Node, Ms, Bulk);
command({stream, Node, Pairs, Size, Ms}) ->
    stream(Node, Pairs, Size, Ms).

failure(Reason) ->
    #{failed => iolist_to_binary(io_lib:format("~0tp", [Reason]))}.

answer(Map) ->
    io:put_chars(["beamway_testbed ", json(Map), $\n]).

json(Map) when is_map(Map) ->
    [${, lists:join($,, [[json(Key), $:, json(Value)] || {Key, Value} <- maps:to_list(Map)]), $}];
json(List) when is_list(List) ->
    [$[, lists:join($,, [json(Element) || Element <- List]), $]];
json(Integer) when is_integer(Integer) ->
    integer_to_binary(Integer);
json(Float) when is_float(Float) ->
    float_to_binary(Float, [{decimals, 3}]);
json(Boolean) when is_boolean(Boolean) ->
    atom_to_binary(Boolean);
json(Atom) when is_atom(Atom) ->
    json(atom_to_binary(Atom));
json(Text) when is_binary(Text) ->
    [$", [escape(Byte) || <<Byte>> <= Text], $"].

escape(Byte) when Byte =:= $"; Byte =:= $\\ -> [$\\, Byte];
escape(Byte) when Byte < 32; Byte > 126 -> $?;
escape(Byte) -> Byte.

%%% The service of a node, and the gen_servers that are called

init(service) ->
    {ok, service};
init({echo, Owner}) ->
    monitor(process, Owner),
    {ok, #{calls => 0, strays => 0}}.

%% `Role` runs in a process of the far node for as long as `Owner` lives.
handle_call({start, echo, Owner}, _, service) ->
    {ok, Pid} = gen_server:start(?MODULE, {echo, Owner}, []),
    {reply, Pid, service};
handle_call({start, sink, Owner}, _, service) ->
    {reply, spawn(fun() -> sink(Owner) end), service};
handle_call({start, {receiver, Seed, Size, AckEvery}, Owner}, _, service) ->
    {reply, spawn(fun() -> receiver(Owner, Seed, Size, AckEvery) end), service};
%% A caller counts its calls. One that is lost, doubled or out of order breaks the count, and is seen here.
handle_call({echo, Caller, Number}, _, #{calls := Calls, strays := Strays} = State) ->
    Expected = maps:get(Caller, State, 0),
    Stray = case Number of Expected -> 0; _ -> 1 end,
    {reply, {echoed, Caller, Number}, State#{calls := Calls + 1, strays := Strays + Stray, Caller => Number + 1}};
handle_call(verdict, _, #{calls := Calls, strays := Strays} = State) ->
    {reply, {Calls, Strays}, State}.

handle_cast(_, State) ->
    {noreply, State}.

handle_info({'DOWN', _, process, _, _}, State) when is_map(State) ->
    {stop, normal, State};
handle_info(_, State) ->
    {noreply, State}.

servers(Node) ->
    [start(Node, echo) || _ <- lists:seq(1, 16)].

start(Node, Role) ->
    gen_server:call({?MODULE, Node}, {start, Role, self()}, ?ANSWER_MS).

%%% gen_server calls by many callers

calls(Node, Callers, Ms) ->
    Servers = servers(Node),
    Warm = call_for(Servers, warm, Callers, min(Ms, 300)),
    Begin = now_us(),
    Counted = call_for(Servers, counted, Callers, Ms),
    Us = now_us() - Begin,
    maps:merge(#{calls => Counted, us => Us}, echo_verdict(Servers, Warm + Counted)).

%% Calls made by all callers until the time is over. A caller keeps to one server, so that its count stays whole.
call_for(Servers, Round, Callers, Ms) ->
    Deadline = now_us() + Ms * 1000,
    Monitors = [
        element(2, spawn_monitor(fun() -> exit({made, call_until({Round, N}, nth(N, Servers), 0, Deadline)}) end))
     || N <- lists:seq(1, Callers)
    ],
    lists:sum([receive {'DOWN', Monitor, process, _, {made, Made}} -> Made end || Monitor <- Monitors]).

call_until(Caller, Server, Number, Deadline) ->
    call(Server, Caller, Number),
    case now_us() < Deadline of
        true -> call_until(Caller, Server, Number + 1, Deadline);
        false -> Number + 1
    end.

call(Server, Caller, Number) ->
    {echoed, Caller, Number} = gen_server:call(Server, {echo, Caller, Number}, ?ANSWER_MS).

echo_verdict(Servers, Made) ->
    Verdicts = [gen_server:call(Server, verdict, ?ANSWER_MS) || Server <- Servers],
    Seen = lists:sum([Calls || {Calls, _} <- Verdicts]),
    Strays = lists:sum([Stray || {_, Stray} <- Verdicts]),
    verdict(Seen =:= Made andalso Strays =:= 0, "~b calls made, ~b arrived, ~b out of order", [Made, Seen, Strays]).

verdict(true, _, _) ->
    #{verified => true};
verdict(false, Format, Values) ->
    #{verified => false, wrong => iolist_to_binary(io_lib:format(Format, Values))}.

nth(N, List) ->
    lists:nth(1 + N rem length(List), List).

%%% One big message at a time

%% At least one message, at most `Most`, no further one once `Ms` is over. Timed until the receiver says that the
%% message is in its mailbox; its checksum is made after that, outside the time.
transfer(Node, Size, Most, Ms) ->
    Sink = start(Node, sink),
    Times = transfer(Sink, Size, Most, now_us() + Ms * 1000, 0, []),
    case lists:keyfind(wrong, 1, Times) of
        false -> #{bytes => Size, us => [Us || {_, Us} <- Times], verified => true};
        {wrong, Seen} -> verdict(false, "a message of ~b bytes arrived as ~0p (size, MD5)", [Size, Seen])
    end.

transfer(_, _, 0, _, _, Times) ->
    lists:reverse(Times);
transfer(Sink, Size, Left, Deadline, Number, Times) ->
    Message = payload(1, Number, Size),
    Expected = {Size, binary:encode_hex(erlang:md5(Message))},
    Begin = now_us(),
    Sink ! {message, self(), Message},
    receive {arrived, Sink} -> ok after ?ANSWER_MS -> exit(message_not_arrived) end,
    Us = now_us() - Begin,
    Seen = receive {seen, Sink, What} -> What after ?ANSWER_MS -> exit(no_checksum) end,
    Time = case Seen of Expected -> {us, Us}; _ -> {wrong, Seen} end,
    case Time =/= {wrong, Seen} andalso now_us() < Deadline of
        true -> transfer(Sink, Size, Left - 1, Deadline, Number + 1, [Time | Times]);
        false -> lists:reverse([Time | Times])
    end.

sink(Owner) ->
    monitor(process, Owner),
    sink_loop().

sink_loop() ->
    receive
        {message, From, Message} ->
            From ! {arrived, self()},
            From ! {seen, self(), {byte_size(Message), binary:encode_hex(erlang:md5(Message))}},
            %% Gives the memory back before the next one comes.
            garbage_collect(),
            sink_loop();
        {'DOWN', _, process, _, _} ->
            ok
    end.

%%% Round trips of small calls, alone or beside bulk

%% Alone: one caller, one call after the other. Beside bulk: a call every 5 ms, whether the ones before it have been
%% answered or not; else a carrier that holds calls up would be asked less often just while it does.
round_trips(Node, Ms, undefined) ->
    Servers = servers(Node),
    {Warm, _} = one_by_one(Servers, warm, now_us() + min(Ms, 200) * 1000, 0, []),
    {Made, Times} = one_by_one(Servers, counted, now_us() + Ms * 1000, 0, []),
    maps:merge(percentiles(Times), echo_verdict(Servers, Warm + Made));
round_trips(Node, Ms, {Streams, Size}) ->
    Servers = servers(Node),
    Begin = now_us(),
    Senders = senders(Node, Streams, Size, 1),
    flowing(Senders),
    {Made, Times} = every(5, Servers, Ms div 5),
    Bulk = sent(Senders, Size),
    Us = now_us() - Begin,
    both(echo_verdict(Servers, Made), maps:merge(percentiles(Times), Bulk#{us => Us})).

one_by_one(Servers, Round, Deadline, Made, Times) ->
    Begin = now_us(),
    call(nth(Made, Servers), {Round, Made}, 0),
    End = now_us(),
    case End < Deadline of
        true -> one_by_one(Servers, Round, Deadline, Made + 1, [End - Begin | Times]);
        false -> {Made + 1, [End - Begin | Times]}
    end.

%% So many calls, `Pause` milliseconds apart; at least one. One that is late does not put off the next.
every(Pause, Servers, Calls) ->
    every(Pause, Servers, now_us(), Calls, 0, []).

every(Pause, Servers, Begin, Calls, Made, Monitors) ->
    Server = nth(Made, Servers),
    {_, Monitor} = spawn_monitor(fun() ->
        Called = now_us(),
        call(Server, {beside, Made}, 0),
        exit({took, now_us() - Called})
    end),
    timer:sleep(max(0, Pause * (Made + 1) - (now_us() - Begin) div 1000)),
    case Made + 1 < Calls of
        true ->
            every(Pause, Servers, Begin, Calls, Made + 1, [Monitor | Monitors]);
        false ->
            %% Oldest first, as they lie in the mailbox.
            Oldest = lists:reverse([Monitor | Monitors]),
            {Made + 1, [receive {'DOWN', M, process, _, Why} -> took(Why) end || M <- Oldest]}
    end.

took({took, Us}) -> Us;
took(Failed) -> exit(Failed).

percentiles(Times) ->
    Sorted = list_to_tuple(lists:sort(Times)),
    At = fun(Share) -> element(max(1, ceil(Share * tuple_size(Sorted))), Sorted) end,
    #{samples => tuple_size(Sorted), p50 => At(0.5), p90 => At(0.9), p99 => At(0.99), max => At(1)}.

both(#{verified := true}, Other) -> Other;
both(Wrong, Other) -> maps:merge(Other, Wrong).

%%% Streams of messages between pairs of processes

stream(Node, Pairs, Size, Ms) ->
    %% About 4 MB per pair may be unacknowledged, as few as four messages, as many as 4000.
    Senders = senders(Node, Pairs, Size, max(4, min(4000, 4000000 div max(1, Size)))),
    Begin = now_us(),
    timer:sleep(Ms),
    Sent = sent(Senders, Size),
    Sent#{us => now_us() - Begin}.

senders(Node, Pairs, Size, Window) ->
    Parent = self(),
    Started = [
        begin
            Receiver = start(Node, {receiver, Seed, Size, max(1, Window div 4)}),
            {Receiver, Seed}
        end
     || Seed <- lists:seq(1, Pairs)
    ],
    [
        spawn_link(fun() ->
            Payloads = {payload(Seed, 0, Size), payload(Seed, 1, Size)},
            send(Parent, Receiver, Payloads, Window, 0, 0)
        end)
     || {Receiver, Seed} <- Started
    ].

%% Waits until each of them has its first acknowledgement.
flowing(Senders) ->
    [receive {flowing, Sender} -> ok after ?ANSWER_MS -> exit(bulk_does_not_flow) end || Sender <- Senders].

send(Parent, Receiver, Payloads, Window, Number, Acked) when Number - Acked < Window ->
    Receiver ! {data, self(), Number, element(1 + Number band 1, Payloads)},
    send(Parent, Receiver, Payloads, Window, Number + 1, Acked);
send(Parent, Receiver, Payloads, Window, Number, Acked) ->
    receive
        {ack, Receiver, Count} ->
            Acked =:= 0 andalso (Parent ! {flowing, self()}),
            send(Parent, Receiver, Payloads, Window, Number, Count);
        stop ->
            Receiver ! {verdict, self()},
            receive {verdict, Receiver, Count, Wrong} -> Parent ! {sent, self(), Number, Count, Wrong} end
    after ?ANSWER_MS -> exit(no_acknowledgement)
    end.

%% Ends the senders and compares what each sent with what its receiver saw.
sent(Senders, Size) ->
    [Sender ! stop || Sender <- Senders],
    Ends = [
        receive {sent, Sender, Made, Seen, Wrong} -> {Made, Seen, Wrong} after ?ANSWER_MS -> exit(no_verdict) end
     || Sender <- Senders
    ],
    Made = lists:sum([M || {M, _, _} <- Ends]),
    Seen = lists:sum([S || {_, S, _} <- Ends]),
    Wrong = lists:sum([W || {_, _, W} <- Ends]),
    Good = lists:all(fun({M, S, W}) -> M =:= S andalso W =:= 0 end, Ends),
    maps:merge(
        #{messages => Made, bytes => Made * Size},
        verdict(Good, "~b messages of ~b bytes sent, ~b arrived, ~b of them damaged or out of order",
                [Made, Size, Seen, Wrong])
    ).

%% Every message is compared byte for byte with what must come next.
receiver(Owner, Seed, Size, AckEvery) ->
    process_flag(message_queue_data, off_heap),
    monitor(process, Owner),
    receive_next({payload(Seed, 0, Size), payload(Seed, 1, Size)}, AckEvery, 0, 0).

receive_next(Expected, AckEvery, Count, Wrong) ->
    receive
        {data, From, Number, Data} ->
            Right = Number =:= Count andalso Data =:= element(1 + Count band 1, Expected),
            Next = Count + 1,
            Next rem AckEvery =:= 0 andalso (From ! {ack, self(), Next}),
            receive_next(Expected, AckEvery, Next, case Right of true -> Wrong; false -> Wrong + 1 end);
        {verdict, From} ->
            From ! {verdict, self(), Count, Wrong},
            receive_next(Expected, AckEvery, Count, Wrong);
        {'DOWN', _, process, _, _} ->
            ok
    end.

%% The same bytes on every node for the same arguments, others for others.
payload(Seed, Which, Size) ->
    Block = persistent_term:get(?MODULE),
    Offset = (Seed * 7919 + Which * 104729) rem ?BLOCK,
    Copies = (Offset + Size) div ?BLOCK + 1,
    binary:copy(binary:part(binary:copy(Block, Copies), Offset, Size)).

%% As random to the eye, and easily made elsewhere: native nodes (native/payload.rs) make the same.
block() ->
    Sums = << <<(erlang:md5(<<?SEED:32, N:32>>))/binary>> || N <- lists:seq(0, ?BLOCK div 16) >>,
    binary:part(Sums, 0, ?BLOCK).

now_us() ->
    erlang:monotonic_time(microsecond).
