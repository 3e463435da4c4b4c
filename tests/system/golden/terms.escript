#!/usr/bin/env escript
%%! +pc latin1
%% -*- erlang -*-
%% Terms of a real node for the tests of beamway's own.
%%
%%   escript terms.escript golden > otp25-terms.txt
%%   ERL_FLAGS="+pc unicode" escript terms.escript golden > otp25-terms-unicode.txt
%%   escript terms.escript random COUNT SEED     the same form, terms made up
%%   escript terms.escript check FILE            what the other side made of them
%%
%% A line of FILE holds a term as this node wrote it, the same term as the other side wrote it, both in hexadecimal, and
%% as the other side printed it (~0tp). The last line of the answer is `ok COUNT`.
-mode(compile).

main(["golden"]) ->
    ok = io:setopts([{encoding, unicode}]),
    io:format("# What a real node wrote: Erlang/OTP ~s, by terms.escript beside this file.~n#~n"
              "# - the term as term_to_binary(Term, [{minor_version, 2}]) writes it, which later releases do by themselves,~n"
              "#   in hexadecimal; what follows is of the same term~n"
              "# o as term_to_binary/1 writes it, if that differs~n"
              "# z as term_to_binary(Term, [compressed]) writes it, if that is shorter~n"
              "# p as ~~0tp prints it, u with +pc unicode; left out where the text would mean nothing elsewhere~n"
              "# w as ~~tw prints it~n",
              [erlang:system_info(otp_release)]),
    case io:printable_range() of
        unicode -> [write(T, print) || T <- texts()];
        latin1 ->
            [write(T, print) || T <- texts() ++ numbers() ++ atoms() ++ containers() ++ local()],
            [write(T, bytes) || T <- foreign()]
    end;
main(["random", Count, Seed]) ->
    ok = io:setopts([{encoding, unicode}]),
    rand:seed(exsss, list_to_integer(Seed)),
    [write(term(4), print) || _ <- lists:seq(1, list_to_integer(Count))];
main(["check", File]) ->
    {ok, Text} = file:read_file(File),
    Lines = binary:split(Text, <<"\n">>, [global, trim]),
    [check(binary:split(Line, <<" ">>)) || Line <- Lines],
    io:format("ok ~b~n", [length(Lines)]).

write(Term, How) ->
    Plain = term_to_binary(Term, [{minor_version, 2}]),
    Older = term_to_binary(Term),
    Packed = term_to_binary(Term, [compressed]),
    io:format("~n- ~s~n", [hex(Plain)]),
    Older =:= Plain orelse io:format("o ~s~n", [hex(Older)]),
    Packed =:= Older orelse io:format("z ~s~n", [hex(Packed)]),
    Range = case io:printable_range() of unicode -> "u"; latin1 -> "p" end,
    How =:= print andalso io:format("~s ~0tp~nw ~tw~n", [Range, Term, Term]).

check([Own, Rest]) ->
    [Other, Text] = binary:split(Rest, <<" ">>),
    Term = binary_to_term(binary:decode_hex(Own)),
    Term = binary_to_term(binary:decode_hex(Other)),
    Printed = unicode:characters_to_list(Text),
    case parse(Printed) of
        {ok, Term} -> ok;
        {ok, Else} -> error({read_as, Else, Printed});
        %% Identities are printed, but not read.
        {error, _} -> true = lists:any(fun(Mark) -> string:find(Printed, Mark) =/= nomatch end, ["<0.", "#Ref<", "#Port<", "#Fun<"])
    end.

parse(Text) ->
    case erl_scan:string(Text ++ ".") of
        {ok, Tokens, _} -> erl_parse:parse_term(Tokens);
        {error, Reason, _} -> {error, Reason}
    end.

hex(Bytes) ->
    string:lowercase(binary:encode_hex(Bytes)).

numbers() ->
    Edges = [B + D || B <- [0, 1 bsl 8, 1 bsl 27, 1 bsl 31, 1 bsl 32, 1 bsl 59, 1 bsl 63, 1 bsl 64, 1 bsl 128], D <- [-1, 0, 1]],
    rand:seed(exsss, 1),
    [0, 255, 256, -1, 1 bsl 2040 - 1, 1 bsl 2040, -(1 bsl 3000), Edges, [-E || E <- Edges],
     0.0, -0.0, 1.0, 0.1, 1.0e23, 5.0e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 123456789.125,
     9007199254740991.0, 9007199254740992.0, 9007199254740994.0, -9007199254740992.0, 4503599627370496.5,
     [math:pow(10, P) || P <- lists:seq(-30, 30)],
     [1.5 * math:pow(10, P) || P <- lists:seq(-30, 30)],
     [1234567.0 * math:pow(10, P) || P <- lists:seq(-20, 20)],
     [math:pow(2, P) || P <- lists:seq(-70, 70)],
     [math:pow(2, 53) + D || D <- [-2, -1, 0, 2, 4]],
     [any_float() || _ <- lists:seq(1, 200)],
     [rand:uniform(1 bsl 40) / math:pow(10, rand:uniform(15)) || _ <- lists:seq(1, 200)]].

atoms() ->
    [ok, '', 'Elixir.Enum', 'a b', 'don\'t', nonode@nohost, '_x', x_1@y, list_to_atom(lists:duplicate(255, $a)),
     list_to_atom(lists:duplicate(255, 16#1f600)), '日本', 'ÿ',
     [list_to_atom([C]) || C <- lists:seq(0, 255)],
     [list_to_atom([$a, C]) || C <- lists:seq(0, 255)],
     ['after', 'and', 'andalso', 'band', 'begin', 'bnot', 'bor', 'bsl', 'bsr', 'bxor', 'case', 'catch', 'cond', 'div', 'end',
      'fun', 'if', 'let', 'not', 'of', 'or', 'orelse', 'receive', 'rem', 'try', 'when', 'xor', 'query', spec, record, module]].

texts() ->
    Points = [16#100, 16#3b1, 16#20ac, 16#2028, 16#d7ff, 16#e000, 16#fffd, 16#fffe, 16#ffff, 16#10000, 16#1f600, 16#10ffff],
    ["", "hi", "a\n\t\"\\'", "é", "€", [$a, 256], [0], [1, 2, 3], [127], "~p", [$a | b], "abc" ++ [d],
     [[C] || C <- lists:seq(0, 255)],
     [[C] || C <- Points], [-1, $a], [$a, 16#d800], [$a, 16#110000],
     <<>>, <<"hi">>, <<"a\n\"\\'">>, <<"é"/utf8>>, <<"é">>, <<"€"/utf8>>, <<255, 254>>, <<0, 1>>, <<"ab", 0>>, <<"ab", 255>>,
     <<"é"/utf8, 255>>, <<"é€"/utf8>>, <<200:8, 200:8>>,
     [<<C>> || C <- lists:seq(0, 255)],
     [<<C/utf8>> || C <- lists:seq(128, 255) ++ [P || P <- Points, P < 16#d800 orelse P > 16#dfff]],
     <<1:1>>, <<5:3>>, <<"ab", 5:3>>, <<"hello", 0:7>>, <<255, 1:7>>, <<0:9>>].

containers() ->
    [{}, {a}, {a, {b, {}}}, [], [a], [a | b], [[], [[]]], [{k, v}], [1, 2 | 3], #{}, #{a => 1}, #{1 => a, 1.0 => b, "k" => #{}},
     #{b => 1, a => 2, 3 => [], 2.0 => x, {} => y, {0} => z, [] => n, "l" => m, <<"b">> => o, <<1:1>> => p, #{} => q},
     maps:from_list([{I, I} || I <- lists:seq(1, 32)]),
     list_to_tuple(lists:seq(1, 255)), list_to_tuple(lists:seq(1, 256)),
     lists:foldl(fun(_, Inner) -> {Inner} end, x, lists:seq(1, 200)),
     lists:foldl(fun(_, Inner) -> [Inner, a] end, x, lists:seq(1, 200)),
     lists:foldl(fun(_, Inner) -> #{k => Inner} end, x, lists:seq(1, 100)),
     [{order, I, <<"the same words again">>} || I <- lists:seq(1, 50)],
     binary:copy(<<"binary ">>, 100), [fun erlang:self/0, fun 'A b':'C'/255]].

%% Of this node, which is not alive.
local() ->
    X = {free, <<"variable">>},
    [self(), {self(), make_ref()}, make_ref(), alias(), hd(erlang:ports()), fun() -> X end, fun lists:map/2].

%% Text of these holds numbers that only this node knows, or comes in an order of its own.
foreign() ->
    Node = <<119, 11, "b@127.0.0.1">>,
    [binary_to_term(<<131, Bytes/binary>>) || Bytes <- [
        <<88, Node/binary, 91:32, 7:32, 16#6b000001:32>>,
        <<103, Node/binary, 91:32, 7:32, 3>>,
        <<89, Node/binary, 5:32, 16#6b000001:32>>,
        <<120, Node/binary, (1 bsl 40):64, 16#6b000001:32>>,
        <<90, 3:16, Node/binary, 16#6b000001:32, 7:32, 8:32, 9:32>>,
        <<90, 5:16, Node/binary, 16#6b000001:32, 7:32, 8:32, 9:32, 10:32, 11:32>>,
        <<114, 1:16, Node/binary, 3, 7:32>>
    ]] ++ [maps:from_list([{I, I} || I <- lists:seq(1, 33)]), maps:from_list([{{k, I}, #{}} || I <- lists:seq(1, 200)])].

any_float() ->
    case <<(rand:uniform(1 bsl 64) - 1):64>> of
        <<F/float>> -> F;
        _ -> any_float()
    end.

%% A term of any kind that prints the same wherever it is.
term(Depth) ->
    case rand:uniform(if Depth > 0 -> 19; true -> 13 end) of
        1 -> lists:nth(rand:uniform(8), [ok, error, 'Elixir.Enum', true, '', 'é', '€', 'end']);
        2 -> list_to_atom([char(16#ff) || _ <- lists:seq(1, rand:uniform(6))]);
        3 -> rand:uniform(300) - 20;
        4 -> rand:uniform(1 bsl rand:uniform(200)) - (1 bsl 80);
        5 -> any_float();
        6 -> (rand:uniform(20000) - 10000) * math:pow(10, rand:uniform(40) - 25);
        7 -> [char(16#ff) || _ <- lists:seq(1, rand:uniform(8))];
        8 -> [char(16#10ffff) || _ <- lists:seq(1, rand:uniform(4))];
        9 -> rand:bytes(rand:uniform(12) - 1);
        10 -> unicode:characters_to_binary([char(16#2ff) || _ <- lists:seq(1, rand:uniform(5))]);
        11 -> Size = rand:uniform(40), <<(rand:uniform(1 bsl Size)):Size>>;
        12 -> [];
        13 -> lists:nth(rand:uniform(4), [self(), make_ref(), hd(erlang:ports()), fun lists:map/2]);
        14 -> list_to_tuple(terms(Depth));
        15 -> terms(Depth);
        16 -> terms(Depth) ++ term(Depth - 1);
        17 -> [{term(0), term(Depth - 1)} || _ <- lists:seq(1, rand:uniform(5))];
        _ -> maps:from_list([{term(Depth - 1), term(Depth - 1)} || _ <- lists:seq(1, rand:uniform(12))])
    end.

terms(Depth) -> [term(Depth - 1) || _ <- lists:seq(1, rand:uniform(8))].

char(Max) ->
    case rand:uniform(Max + 1) - 1 of
        C when C >= 16#d800, C =< 16#dfff -> char(Max);
        C -> C
    end.
