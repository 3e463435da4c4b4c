#!/usr/bin/env escript
%% Two users of ejabberd, each at a node of its own, write to each other.
%%
%%   xmpp.escript ALICE BOB COUNT      the addresses of two nodes; users alice and bob of chat.test, password secret
-mode(compile).

-define(DOMAIN, "chat.test").
%% Messages on the way in one direction, at most: below what ejabberd takes for a flood.
-define(WINDOW, 50).
-define(PATIENCE, 15000).

main([Alice, Bob, Count]) ->
    Number = list_to_integer(Count),
    Boss = self(),
    Users = [spawn_monitor(fun() -> user(Boss, Me, Other, Address, Number) end)
             || {Me, Other, Address} <- [{"alice", "bob", Alice}, {"bob", "alice", Bob}]],
    %% Nobody writes before both are there.
    [receive {ready, Pid} -> ok; {'DOWN', _, _, Pid, Reason} -> fail(Reason) end || {Pid, _} <- Users],
    %% Nor before ejabberd has told its other node, which it does in passing (mnesia's dirty writes).
    timer:sleep(1000),
    [Pid ! go || {Pid, _} <- Users],
    [receive {'DOWN', Ref, _, _, normal} -> ok; {'DOWN', Ref, _, _, Reason} -> fail(Reason) end || {_, Ref} <- Users],
    io:format("~b messages each way, all there, in order~n", [Number]).

fail(Reason) ->
    io:put_chars(io_lib:format("FAILED: ~0p~n", [Reason], [{chars_limit, 600}])),
    halt(1).

user(Boss, Me, Other, Address, Count) ->
    {ok, Socket} = gen_tcp:connect(Address, 5222, [binary, {active, false}, {nodelay, true}]),
    open(Socket),
    Secret = base64:encode(iolist_to_binary([0, Me, 0, "secret"])),
    ask(Socket, ["<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>", Secret, "</auth>"], <<"<success">>),
    open(Socket),
    ask(Socket, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", <<"</iq>">>),
    ask(Socket, "<presence/>", <<"<presence">>),
    Boss ! {ready, self()},
    receive go -> ok end,
    write(Socket, Other, 1, min(Count, ?WINDOW)),
    talk(Socket, Other, Count, 1, <<>>),
    gen_tcp:close(Socket).

open(Socket) ->
    Open = ["<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='", ?DOMAIN, "'>"],
    ask(Socket, Open, <<"</stream:features>">>).

ask(Socket, Text, Answer) ->
    ok = gen_tcp:send(Socket, Text),
    hear(Socket, Answer, <<>>).

hear(Socket, Answer, Heard) ->
    case binary:match(Heard, Answer) of
        nomatch ->
            case gen_tcp:recv(Socket, 0, ?PATIENCE) of
                {ok, More} -> hear(Socket, Answer, <<Heard/binary, More/binary>>);
                {error, Reason} -> exit({Reason, {wanted, Answer}, {heard, Heard}})
            end;
        _ -> ok
    end.

write(_, _, First, Last) when First > Last -> ok;
write(Socket, Other, First, Last) ->
    Text = ["<message type='chat' to='", Other, "@", ?DOMAIN, "'><body>number ", integer_to_list(First), "</body></message>"],
    ok = gen_tcp:send(Socket, Text),
    write(Socket, Other, First + 1, Last).

%% For each message that comes another one goes, until all have come.
talk(_, _, Count, Next, _) when Next > Count -> ok;
talk(Socket, Other, Count, Next, Heard) ->
    case re:run(Heard, "<body>number ([0-9]+)</body>", [{capture, all, index}]) of
        {match, [{Start, Length}, {At, Digits}]} ->
            Next =:= binary_to_integer(binary:part(Heard, At, Digits)) orelse exit({wanted, Next, binary:part(Heard, At, Digits)}),
            New = Next + ?WINDOW,
            write(Socket, Other, New, min(Count, New)),
            <<_:(Start + Length)/binary, Left/binary>> = Heard,
            talk(Socket, Other, Count, Next + 1, Left);
        nomatch ->
            case gen_tcp:recv(Socket, 0, ?PATIENCE) of
                {ok, More} -> talk(Socket, Other, Count, Next, <<Heard/binary, More/binary>>);
                {error, Reason} -> exit({Reason, {wanted, Next}, {heard, Heard}})
            end
    end.
