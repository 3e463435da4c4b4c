%% Terms and messages of every size arrive as they were sent.
-module(real_basics).

-export([connected/1, terms/1, sizes/1, size/2, around_a_fragment/1, many_at_once/1, echo/0, sink/0, bytes/1,
         collect/1, collected/1]).

-include("real.hrl").

connected(Peer) ->
    pong = net_adm:ping(Peer),
    ?equal([Peer], nodes(), nodes_here),
    ?equal([node()], rpc:call(Peer, erlang, nodes, []), nodes_there),
    ?equal(Peer, rpc:call(Peer, erlang, node, []), name_of_the_peer),
    Remote = spawn(Peer, ?MODULE, echo, []),
    ?equal(Peer, node(Remote), node_of_a_remote_pid),
    ok.

echo() ->
    receive
        {From, Ref, Term} -> From ! {Ref, Term}, echo();
        stop -> ok
    end.

terms(Peer) ->
    Echo = spawn(Peer, ?MODULE, echo, []),
    lists:foreach(fun({Name, Term}) -> echoed(Echo, Name, Term) end, all(Echo)),
    lists:foreach(fun(N) ->
                          Term = random_term(rand:seed_s(exsss, N), 6),
                          echoed(Echo, {random_term, N}, element(1, Term))
                  end, lists:seq(1, 200)),
    Echo ! stop,
    ok.

echoed(Echo, Name, Term) ->
    Ref = make_ref(),
    Echo ! {self(), Ref, Term},
    Back = ?recv({Ref, B}, B, {echo_of, Name}),
    Back =:= Term orelse error({changed_on_the_way, Name, Term, Back}),
    %% A release writes a fun of another one in its own way.
    (Name =:= local_fun andalso real:releases_apart(node(Echo)) > 0)
        orelse term_to_binary(Back) =:= term_to_binary(Term) orelse error({looks_changed, Name}).

all(Remote) ->
    {ok, Port} = gen_udp:open(0, []),
    Alias = alias(),
    Unbound = lists:seq(1, 40),
    [{nil, []}, {small, 255}, {negative, -1}, {integer, 1 bsl 27}, {float, 1.5e300}, {minus_zero, -0.0},
     {atoms, [true, false, undefined, '', 'with space', '@']},
     {wide_atom, list_to_atom(lists:duplicate(255, 16#1F600))},
     {atoms_600, [list_to_atom("atom_number_" ++ integer_to_list(N)) || N <- lists:seq(1, 600)]},
     {atoms_600_twice, [{list_to_atom("atom_number_" ++ integer_to_list(N)), N} || N <- lists:seq(600, 1, -1)]},
     {big, 1 bsl 64}, {negative_big, -(1 bsl 2040) - 1}, {large_big, (1 bsl 70000) + 7}, {negative_large, -(1 bsl 2048)},
     {pid, self()}, {remote_pid, Remote}, {registered, whereis(init)},
     {ref, make_ref()}, {alias, Alias}, {port, Port},
     {local_fun, fun(X) -> {X, Unbound, Remote} end}, {exported_fun, fun lists:map/2}, {unknown_fun, fun no_such:thing/7},
     {binary, <<0, 255, 1>>}, {empty_binary, <<>>}, {bits, <<5:3>>}, {bits_long, <<(rand:bytes(1000))/binary, 1:1>>},
     {sub_binary, binary:part(rand:bytes(5000), 17, 4000)},
     {string, "text"}, {long_string, lists:duplicate(70000, $x)}, {unicode, [16#20AC, 16#1F600]},
     {improper, [1, 2 | three]}, {tuple_0, {}}, {tuple_300, list_to_tuple(lists:seq(1, 300))},
     {map_0, #{}}, {map_small, #{a => 1, "b" => #{c => <<>>}}},
     {map_large, maps:from_list([{{key, N}, [N, <<N:64>>]} || N <- lists:seq(1, 1000)])},
     {deep, lists:foldl(fun(_, T) -> [T] end, end_of_it, lists:seq(1, 5000))},
     {looks_like_a_packet, <<131, 68, 0, 104, 3, 97, 2, 0, 0, 0, 0, 131, 69, 0:64, 1:64>>}].

%% Gives {Term, Seed}: the same for the same seed, so that a failure can be repeated.
random_term(S0, Depth) ->
    {Kind, S1} = rand:uniform_s(if Depth =:= 0 -> 4; true -> 7 end, S0),
    {N, S2} = rand:uniform_s(8, S1),
    case Kind of
        1 -> rand:uniform_s(1 bsl (N * 20), S2);
        2 -> {list_to_atom("r" ++ integer_to_list(N)), S2};
        3 -> {<<(erlang:phash2(S2)):32, N:N>>, S2};
        4 -> {N / 7, S2};
        5 -> random_terms(N - 1, S2, Depth - 1, []);
        6 -> {L, S3} = random_terms(N - 1, S2, Depth - 1, []), {list_to_tuple(L), S3};
        7 -> {L, S3} = random_terms(N - 1, S2, Depth - 1, []),
             {maps:from_list(lists:zip(lists:seq(1, length(L)), L)), S3}
    end.

random_terms(0, S, _, Terms) -> {Terms, S};
random_terms(N, S0, Depth, Terms) ->
    {Term, S1} = random_term(S0, Depth),
    random_terms(N - 1, S1, Depth, [Term | Terms]).

%% Answers with what it got, measured.
sink() ->
    receive
        {From, Ref, Data} when is_binary(Data) -> From ! {Ref, byte_size(Data), erlang:crc32(Data)}, sink();
        stop -> ok
    end.

bytes(Size) when Size =< 1 bsl 20 -> rand:bytes(Size);
bytes(Size) ->
    Whole = binary:copy(rand:bytes(1 bsl 20), Size bsr 20),
    <<Whole/binary, (rand:bytes(Size band ((1 bsl 20) - 1)))/binary>>.

sizes(Peer) ->
    Kilo = 1024,
    lists:foreach(fun(Size) -> size(Peer, Size) end,
                  [0, 1, 2, 63, 64, 65, 100, 1000, 4096, 16 * Kilo, 64 * Kilo, 65 * Kilo, 128 * Kilo - 1, 128 * Kilo,
                   128 * Kilo + 1, 200000, Kilo * Kilo, 3 * Kilo * Kilo + 17, 16 * Kilo * Kilo, 40 * Kilo * Kilo + 1]).

size(Peer, Size) ->
    Sink = spawn(Peer, ?MODULE, sink, []),
    Data = bytes(Size),
    Ref = make_ref(),
    Sink ! {self(), Ref, Data},
    receive
        {Ref, Got, Sum} -> ?equal({Size, erlang:crc32(Data)}, {Got, Sum}, {message_of, Size})
    after 100000 -> error({never_arrived, Size})
    end,
    Sink ! stop,
    ok.

%% Control term and payload together are split at 65536 bytes: every size there, by pid, name and alias.
around_a_fragment(Peer) ->
    Name = real:unique_name("sink_"),
    Self = self(),
    Sink = spawn(Peer, fun() -> register(Name, self()), Self ! {alias, alias()}, sink() end),
    Alias = ?recv({alias, A}, A, alias_of_the_sink),
    All = rand:bytes(140000),
    lists:foreach(fun(Size) ->
                          Data = binary:part(All, 0, Size),
                          lists:foreach(fun(To) ->
                                                Ref = make_ref(),
                                                To ! {self(), Ref, Data},
                                                {Got, Sum} = ?recv({Ref, G, S}, {G, S}, {Size, To}),
                                                ?equal({Size, erlang:crc32(Data)}, {Got, Sum}, {message_of, Size, To})
                                        end, [Sink, {Name, Peer}, Alias])
                  end, lists:seq(65300, 65560) ++ lists:seq(130900, 131100, 5)),
    Sink ! stop,
    ok.

%% Messages of all sizes from 16 senders to 16 receivers, all in flight together.
many_at_once(Peer) ->
    real:parallel([fun() -> sender(Peer, 40) end || _ <- lists:seq(1, 16)]),
    ok.

sender(Peer, Count) ->
    Sink = spawn(Peer, ?MODULE, sink, []),
    Sent = [begin
                Data = bytes(element(rand:uniform(5), {10, 1000, 60000, 150000, 900000})),
                Ref = make_ref(),
                Sink ! {self(), Ref, Data},
                {Ref, byte_size(Data), erlang:crc32(Data)}
            end || _ <- lists:seq(1, Count)],
    %% One sender, one receiver: the answers come in the order of the questions.
    lists:foreach(fun(Expected) ->
                          Got = receive {R, _, _} = M when is_reference(R) -> M
                                after 30000 -> error({no_answer, real:mailbox()}) end,
                          ?equal(Expected, Got, order_of_answers)
                  end, Sent),
    Sink ! stop.

%% A process of that name keeps what it gets.
collect(Name) ->
    Self = self(),
    spawn(fun() -> register(Name, self()), Self ! collecting, collecting([]) end),
    receive collecting -> ok end.

collecting(Got) ->
    receive
        {collected, From} -> From ! {got, lists:reverse(Got)}, collecting(Got);
        Message -> collecting([Message | Got])
    end.

collected(Name) ->
    Name ! {collected, self()},
    receive {got, Messages} -> Messages end.
