%% Nodes that are none: they know the handshake and the cookie, and misbehave where they are told to.
-module(real_fake).

-export([behaves/2, sends/3, malformed/0, floods/2, honest/1, sink/0, serve/4, stop/1, packet/2]).

-include("real.hrl").

%% What OTP 25 offers, without the atom cache: a stock node does not speak it through a gateway either. Hidden, since a visible
%% node must register before it may connect.
-define(FLAGS, (16#d07df7fbd band bnot 16#2001)).
-define(HEADER, 131, 68, 0).

%% As one that starts a connection to the node that stands behind Port.
handshake(Port, Cookie) ->
    Name = atom_to_list(real:unique_name("fake_")) ++ "@127.0.0.1",
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {packet, 2}, {active, false}]),
    ok = gen_tcp:send(Socket, [<<$N, ?FLAGS:64, 7:32, (length(Name)):16>>, Name]),
    {ok, <<"sok">>} = gen_tcp:recv(Socket, 0, 8000),
    {ok, <<$N, _:64, Theirs:32, _:32, Length:16, Peer:Length/binary, _/binary>>} = gen_tcp:recv(Socket, 0, 8000),
    ok = gen_tcp:send(Socket, [<<$r, 4711:32>>, digest(Cookie, Theirs)]),
    Mine = digest(Cookie, 4711),
    {ok, <<$a, Mine:16/binary>>} = gen_tcp:recv(Socket, 0, 8000),
    ok = inet:setopts(Socket, [{packet, 4}]),
    {Socket, Name, binary_to_list(Peer)}.

digest(Cookie, Challenge) -> erlang:md5([atom_to_list(Cookie), integer_to_list(Challenge)]).

%% Terms as the distribution has them, without the version byte.
term(Term) -> <<131, Bytes/binary>> = term_to_binary(Term), Bytes.

atom(Text) -> <<119, (length(Text)), (list_to_binary(Text))/binary>>.

pid(Node) -> <<88, (atom(Node))/binary, 100:32, 0:32, 7:32>>.

tuple(Elements) -> [<<104, (length(Elements))>> | Elements].

int(N) -> <<97, N>>.

%% {6, From, '', Name}: to a name that b has, from the console of the guard case.
to_guard(Name) -> tuple([int(6), pid(Name), atom(""), atom("nobody_of_that_name")]).

behaves(Port, Cookie) ->
    {Socket, Name, Peer} = handshake(Port, Cookie),
    [ok = gen_tcp:send(Socket, [<<?HEADER>>, to_guard(Name), term({hello, N})]) || N <- lists:seq(1, 100)],
    [ok = gen_tcp:send(Socket, <<>>) || _ <- lists:seq(1, 1000)],
    %% An unlink for a process of an earlier life of the peer: a virtual machine would end the connection, so it is dropped.
    ok = gen_tcp:send(Socket, [<<?HEADER>>, tuple([int(35), int(1), pid(Name), pid(Peer)])]),
    %% A process that is not there: the answer shows that all of this was read.
    ok = gen_tcp:send(Socket, [<<?HEADER>>, tuple([int(19), pid(Name), atom("nobody_of_that_name"), ref(Name)])]),
    ok = answered(Socket),
    gen_tcp:close(Socket),
    ok.

ref(Name) -> <<90, 3:16, (atom(Name))/binary, 7:32, 1:32, 2:32, 3:32>>.

answered(Socket) ->
    case gen_tcp:recv(Socket, 0, 10000) of
        {ok, <<?HEADER, 104, 4, 97, Op, _/binary>>} when Op =:= 21; Op =:= 28 -> ok;
        {ok, _} -> answered(Socket);
        {error, Reason} -> error({no_down_from_the_bridge, Reason})
    end.

malformed() ->
    [unknown_operation, wrong_arity, cut_control_term, no_control_term, not_a_tuple, name_for_a_pid, improper_sender,
     bad_version, bad_message_type, empty_header, atom_cache, pass_through, continuation_without_start,
     fragment_number_jumps, fragment_number_zero, sequence_zero, sequence_twice, fragment_count_huge,
     payload_missing, length_huge, length_largest, noise, control_term_in_two_fragments, deep_token, link_of_another_node].

%% After the handshake, one such packet: the connection ends, by the gateway or by the node behind it.
sends(Port, Cookie, What) ->
    {Socket, Name, Peer} = handshake(Port, Cookie),
    Packets = packet(What, {Name, Peer}),
    [case Packet of
         {raw, Bytes} -> inet:setopts(Socket, [{packet, raw}]), gen_tcp:send(Socket, Bytes);
         _ -> gen_tcp:send(Socket, Packet)
     end || Packet <- Packets],
    inet:setopts(Socket, [{packet, raw}]),
    case ends(Socket, erlang:monotonic_time(millisecond) + 20000) of
        ok -> ok;
        still_open -> error({connection_survived, What})
    end.

ends(Socket, Deadline) ->
    case gen_tcp:recv(Socket, 0, 1000) of
        {error, timeout} ->
            case erlang:monotonic_time(millisecond) > Deadline of
                true -> gen_tcp:close(Socket), still_open;
                false -> ends(Socket, Deadline)
            end;
        {error, _} -> gen_tcp:close(Socket), ok;
        {ok, _} -> ends(Socket, Deadline)
    end.

packet(unknown_operation, {N, _}) -> [[<<?HEADER>>, tuple([int(99), pid(N), atom("x")]), term(payload)]];
packet(wrong_arity, {N, _}) -> [[<<?HEADER>>, tuple([int(6), pid(N)]), term(payload)]];
packet(cut_control_term, {N, _}) -> [[<<?HEADER>>, <<104, 4, 97, 6>>, binary:part(pid(N), 0, 10)]];
packet(no_control_term, _) -> [<<?HEADER>>];
packet(not_a_tuple, _) -> [[<<?HEADER>>, term([1, 2, 3]), term(payload)]];
packet(name_for_a_pid, {N, _}) -> [[<<?HEADER>>, tuple([int(1), pid(N), atom("init")])]];
packet(improper_sender, _) -> [[<<?HEADER>>, tuple([int(6), int(1), atom(""), atom("init")]), term(payload)]];
packet(bad_version, {N, _}) -> [[<<130, 68, 0>>, to_guard(N), term(payload)]];
packet(bad_message_type, {N, _}) -> [[<<131, 67, 0>>, to_guard(N), term(payload)]];
packet(empty_header, _) -> [<<131>>];
packet(atom_cache, _) -> [[<<131, 68, 2, 16#11, 0, 5, 6>>, <<104, 4, 97, 6, 88, 82, 0, 1:32, 0:32, 7:32, 82, 1, 82, 1>>, term(x)]];
packet(pass_through, {N, _}) -> [[<<112, 131>>, to_guard(N), <<131>>, term(payload)]];
packet(continuation_without_start, _) -> [[<<131, 70, 9:64, 1:64>>, "continued"]];
packet(fragment_number_jumps, {N, _}) -> [first(N, 9, 5), [<<131, 70, 9:64, 2:64>>, "continued"]];
packet(fragment_number_zero, {N, _}) -> [first(N, 9, 0)];
%% Crashes a virtual machine that is sent it.
packet(sequence_zero, {N, _}) -> [first(N, 0, 3), [<<131, 70, 0:64, 2:64>>, "continued"], [<<131, 70, 0:64, 7:64>>, "ended"]];
packet(sequence_twice, {N, _}) -> [first(N, 9, 3), first(N, 9, 3)];
packet(fragment_count_huge, {N, _}) -> [first(N, 9, 16#ffffffffffffffff), [<<131, 70, 9:64, 7:64>>, "continued"]];
packet(payload_missing, {N, _}) -> [[<<?HEADER>>, to_guard(N)]];
packet(length_huge, _) -> [{raw, <<16#7fffffff:32, "then little">>}, {raw, binary:copy(<<0>>, 1 bsl 20)}];
packet(length_largest, _) -> [{raw, <<16#ffffffff:32, 131, 68, 0>>}];
packet(noise, _) -> [{raw, rand:bytes(100000)}];
packet(control_term_in_two_fragments, {N, _}) ->
    <<Head:8/binary, Tail/binary>> = iolist_to_binary(to_guard(N)),
    [[<<131, 69, 9:64, 2:64, 0>>, Head], [<<131, 70, 9:64, 1:64>>, Tail, term(payload)]];
packet(deep_token, {N, _}) ->
    Deep = binary:copy(<<104, 1>>, 30000),
    [[<<?HEADER>>, tuple([int(16), pid(N), atom(""), atom("init"), [Deep, int(1), <<1:1, 0:7>>]]), <<131>>]];
packet(link_of_another_node, {_, Peer}) -> [[<<?HEADER>>, tuple([int(1), pid("another@127.0.0.1"), pid(Peer)])]].

first(Name, Sequence, Count) -> [<<131, 69, Sequence:64, Count:64, 0>>, to_guard(Name), rand:bytes(1000)].

%% Thousands of messages begun, none finished: memory is bounded, whoever ends the connection.
floods(Port, Cookie) ->
    {Socket, Name, _} = handshake(Port, Cookie),
    inet:setopts(Socket, [{send_timeout, 10000}]),
    Data = rand:bytes(60000),
    flood(Socket, Name, Data, 5000),
    gen_tcp:close(Socket),
    ok.

flood(_, _, _, 0) -> ok;
flood(Socket, Name, Data, N) ->
    case gen_tcp:send(Socket, [<<131, 69, N:64, 100:64, 0>>, to_guard(Name), Data]) of
        ok -> flood(Socket, Name, Data, N - 1);
        {error, _} -> ended
    end.

%% As many bytes as floods/2 sends, in messages that nobody could object to: what attacks are compared with.
honest(Node) ->
    Sink = spawn(Node, ?MODULE, sink, []),
    Data = rand:bytes(60000),
    [Sink ! Data || _ <- lists:seq(1, 5000)],
    Sink ! {last, self()},
    receive last -> ok end.

sink() ->
    receive
        {last, From} -> From ! last;
        _ -> sink()
    end.

%% Registers at a port mapper and answers whoever connects.
serve(Epmd, Name, Cookie, Behaviour) ->
    Self = self(),
    spawn(fun() ->
                  {ok, Listen} = gen_tcp:listen(0, [binary, {packet, 2}, {active, false}, {ip, {127, 0, 0, 1}}]),
                  {ok, Port} = inet:port(Listen),
                  {ok, Mapper} = gen_tcp:connect({127, 0, 0, 1}, Epmd, [binary, {packet, raw}, {active, false}]),
                  ok = gen_tcp:send(Mapper, alive(Name, Port)),
                  {ok, <<Kind, 0, _/binary>>} = gen_tcp:recv(Mapper, 0, 5000),
                  true = Kind =:= 118 orelse Kind =:= 121,
                  register(list_to_atom(Name), self()),
                  Self ! serving,
                  Acceptor = self(),
                  spawn_link(fun() -> accept(Listen, Acceptor, Name ++ "@127.0.0.1", Cookie, Behaviour) end),
                  receive stop -> exit(shutdown) end
          end),
    ?recv(serving, {registered, Name}).

stop(Name) -> list_to_atom(Name) ! stop, ok.

alive(Name, Port) ->
    Body = [<<120, Port:16, 77, 0, 6:16, 5:16, (length(Name)):16>>, Name, <<0:16>>],
    [<<(iolist_size(Body)):16>>, Body].

accept(Listen, Parent, Name, Cookie, Behaviour) ->
    {ok, Socket} = gen_tcp:accept(Listen),
    try answer(Behaviour, Socket, Name, Cookie) catch _:_ -> ok end,
    accept(Listen, Parent, Name, Cookie, Behaviour).

answer(closes, Socket, _, _) -> gen_tcp:close(Socket);
answer(silent, Socket, _, _) -> gen_tcp:recv(Socket, 0, 5000), timer:sleep(60000);
answer(noise, Socket, _, _) -> inet:setopts(Socket, [{packet, raw}]), gen_tcp:send(Socket, rand:bytes(3000)), ended(Socket);
answer(long, Socket, _, _) ->
    gen_tcp:recv(Socket, 0, 5000),
    inet:setopts(Socket, [{packet, raw}]),
    gen_tcp:send(Socket, [<<16#ffff:16>>, rand:bytes(16#ffff)]),
    ended(Socket);
answer(status, Socket, _, _) -> gen_tcp:recv(Socket, 0, 5000), gen_tcp:send(Socket, "swhatever"), ended(Socket);
answer(challenge, Socket, _, _) -> status(Socket), gen_tcp:send(Socket, <<$N, 1, 2, 3>>), ended(Socket);
answer(another_name, Socket, _, _) -> status(Socket), challenge(Socket, "another@127.0.0.1"), ended(Socket);
answer(digest, Socket, Name, _) ->
    status(Socket),
    challenge(Socket, Name),
    {ok, <<$r, _:32, _:16/binary>>} = gen_tcp:recv(Socket, 0, 5000),
    gen_tcp:send(Socket, [$a, rand:bytes(16)]),
    ended(Socket);
answer(afterwards, Socket, Name, Cookie) ->
    status(Socket),
    challenge(Socket, Name),
    {ok, <<$r, Theirs:32, _:16/binary>>} = gen_tcp:recv(Socket, 0, 5000),
    gen_tcp:send(Socket, [$a, digest(Cookie, Theirs)]),
    timer:sleep(200),
    inet:setopts(Socket, [{packet, 4}]),
    gen_tcp:send(Socket, packet(sequence_zero, {Name, "a@127.0.0.1"})),
    gen_tcp:send(Socket, hd(packet(unknown_operation, {Name, "a@127.0.0.1"}))),
    ended(Socket).

status(Socket) -> {ok, <<$N, _/binary>>} = gen_tcp:recv(Socket, 0, 5000), ok = gen_tcp:send(Socket, "sok").

challenge(Socket, Name) -> ok = gen_tcp:send(Socket, [<<$N, ?FLAGS:64, 815:32, 9:32, (length(Name)):16>>, Name]).

%% Reads until the other side has had enough.
ended(Socket) ->
    inet:setopts(Socket, [{packet, raw}]),
    case gen_tcp:recv(Socket, 0, 20000) of
        {ok, _} -> ended(Socket);
        {error, _} -> gen_tcp:close(Socket)
    end.
