%% @doc Finds other nodes through the beamway gateway of this host.
%%
%% Start a node with `-epmd_module beamway_epmd -start_epmd false'. Registration is that of a stock node: over loopback, on
%% the port of `ERL_EPMD_PORT' (default 4369), kept open, and renewed when the gateway restarts. A node that starts before its
%% gateway waits for it: up to 60 seconds, or `-beamway_wait SECONDS'. Looking up differs: a stock node asks the port mapper of the other node's host by the
%% short name, this module asks the local gateway by the full name. So nodes on different hosts attach without any change to
%% name resolution, and equal short names on several hosts stay apart. `net_adm:names(Host)' asks the local gateway too.
%%
%% The module runs while kernel starts, so it uses nothing beyond kernel and stdlib. It works on OTP 25 to 29; compile it with
%% the release that loads it.
-module(beamway_epmd).

-export([start_link/0]).
-export([register_node/2, register_node/3]).
-export([address_please/3]).
-export([port_please/2, port_please/3]).
-export([listen_port_please/2]).
-export([names/0, names/1]).

-define(PORT2_REQ, 122).
-define(PORT2_RESP, 119).
-define(DEFAULT_PORT, 4369).
%% The distribution version that every node since OTP 23 speaks.
-define(VERSION, 6).
-define(NAMES_REQ, 110).
%% How long a node that starts waits for its gateway unless `-beamway_wait SECONDS' says otherwise, and how often it tries.
-define(WAIT_S, 60).
-define(REGISTER_AGAIN_MS, 500).
%% A look-up may open a listener at the gateway; that takes no time to speak of. A gateway that does not answer within this
%% hangs: processes that send to nodes which are not connected wait as long.
-define(ANSWER_MS, 2_000).
%% After that, look-ups fail at once for this time, so that they do not pile up.
-define(PAUSE_MS, 1_000).
-define(HUNG, {?MODULE, hung_until}).

%% @doc Starts the process that keeps the registration.
start_link() ->
    erl_epmd:start_link().

%% @private
register_node(Name, Port) ->
    register_until(fun() -> erl_epmd:register_node(Name, Port) end, now_ms() + wait_s() * 1000, none).

%% @doc Registers this node at the gateway. The third argument is a driver in OTP 25 and an address family later.
register_node(Name, Port, FamilyOrDriver) ->
    Register = fun() -> erl_epmd:register_node(Name, Port, FamilyOrDriver) end,
    register_until(Register, now_ms() + wait_s() * 1000, none).

%% Services of a host start in any order, and a node whose registration fails ends at once. A name that is taken stays taken.
register_until(Register, Deadline, Said) ->
    case Register() of
        {error, Reason} when Reason =/= duplicate_name ->
            case now_ms() < Deadline of
                true ->
                    say_once(Reason, Said),
                    timer:sleep(?REGISTER_AGAIN_MS),
                    register_until(Register, Deadline, Reason);
                false ->
                    {error, Reason}
            end;
        Done ->
            Done
    end.

say_once(Reason, Reason) -> ok;
say_once(Reason, _) ->
    Text = "beamway_epmd: no gateway on port ~w of this host (~w); trying again for ~w s",
    logger:warning(Text, [gateway_port(), Reason, wait_s()]).

%% @doc Where to connect for the node `Name@Host': always this host, on the port where the gateway stands for that node.
%%
%% net_kernel asks first whether an address can be found at all, and while it waits for the answer it does nothing else. So it
%% gets the address alone; the process that sets up the connection asks again, and only that one waits for the gateway.
address_please(Name, Host, Family) ->
    Ip = loopback(Family),
    case whereis(net_kernel) =:= self() of
        true ->
            {ok, Ip};
        false ->
            case look_up(to_list(Name) ++ "@" ++ to_list(Host), Ip) of
                {ok, Port} -> {ok, Ip, Port, ?VERSION};
                {error, _} = Error -> Error
            end
    end.

%% @doc The port of a node by its short name, as tools ask it.
port_please(Name, Host) ->
    port_please(Name, Host, infinity).

%% @private
port_please(Name, Host, _Timeout) when is_tuple(Host) ->
    port(look_up(to_list(Name), Host));
port_please(Name, Host, _Timeout) ->
    port(look_up(to_list(Name) ++ "@" ++ to_list(Host), loopback())).

%% @doc Nodes listen where they like; the gateway learns it when they register.
listen_port_please(_Name, _Host) ->
    {ok, 0}.

%% @doc The nodes of this host.
names() ->
    names("localhost").

%% @doc The nodes of a host, as the gateway of this host knows them, with the ports where it stands for them.
names(Host) ->
    case ask([?NAMES_REQ, to_list(Host)], loopback(), fun list_of_names/1) of
        {ok, Names} -> {ok, Names};
        {error, _} -> {error, address}
    end.

%% The list ends where the connection does.
list_of_names({closed, <<_Port:32, Lines/binary>>}) ->
    Names = [name_and_port(Line) || Line <- binary:split(Lines, <<"\n">>, [global]), Line =/= <<>>],
    {ok, [Found || {_, _} = Found <- Names]};
list_of_names({closed, _}) ->
    {error, einval};
list_of_names({open, _}) ->
    more.

name_and_port(<<"name ", Line/binary>>) ->
    case binary:split(Line, <<" at port ">>) of
        [Name, Port] -> {unicode:characters_to_list(Name), binary_to_integer(Port)};
        _ -> none
    end;
name_and_port(_) ->
    none.

look_up(Name, Ip) ->
    ask([?PORT2_REQ, Name], Ip, fun port_of_node/1).

port_of_node({_, <<?PORT2_RESP, 0, Port:16, _/binary>>}) -> {ok, Port};
port_of_node({_, <<?PORT2_RESP, Result, _/binary>>}) when Result =/= 0 -> {error, nxdomain};
port_of_node({open, Read}) when byte_size(Read) < 4 -> more;
port_of_node(_) -> {error, einval}.

%% Asks the gateway; it answers and closes. `Parse' is given what was read so far.
ask(Request, Ip, Parse) ->
    case now_ms() < persistent_term:get(?HUNG, 0) of
        true ->
            {error, timeout};
        false ->
            %% A small integer, so replacing it costs no garbage collection.
            case ask_until(unicode:characters_to_binary(Request), Ip, Parse, now_ms() + ?ANSWER_MS) of
                {error, timeout} = Error ->
                    persistent_term:put(?HUNG, now_ms() + ?PAUSE_MS),
                    Error;
                Answer ->
                    Answer
            end
    end.

ask_until(Request, Ip, Parse, Deadline) ->
    Options = [binary, {active, false}, {packet, raw}, {nodelay, true}, {send_timeout, ?ANSWER_MS}],
    case gen_tcp:connect(Ip, gateway_port(), Options, left(Deadline)) of
        {ok, Socket} ->
            Answer =
                case gen_tcp:send(Socket, [<<(byte_size(Request)):16>>, Request]) of
                    ok -> read(Socket, <<>>, Parse, Deadline);
                    {error, _} = Error -> Error
                end,
            gen_tcp:close(Socket),
            Answer;
        {error, _} = Error ->
            Error
    end.

read(Socket, Read, Parse, Deadline) ->
    case Parse({open, Read}) of
        more ->
            case gen_tcp:recv(Socket, 0, left(Deadline)) of
                {ok, More} -> read(Socket, <<Read/binary, More/binary>>, Parse, Deadline);
                {error, closed} -> Parse({closed, Read});
                {error, _} = Error -> Error
            end;
        Answer ->
            Answer
    end.

left(Deadline) -> max(0, Deadline - now_ms()).

%% Starts at 0, so that the value which is kept is a small one.
now_ms() ->
    erlang:convert_time_unit(erlang:monotonic_time() - erlang:system_info(start_time), native, millisecond).

port({ok, Port}) -> {port, Port, ?VERSION};
port({error, _}) -> noport.

wait_s() ->
    case init:get_argument(beamway_wait) of
        {ok, [[Seconds | _] | _]} -> list_to_integer(Seconds);
        _ -> ?WAIT_S
    end.

%% `erl' turns ERL_EPMD_PORT into this argument.
gateway_port() ->
    case init:get_argument(epmd_port) of
        {ok, [[Port | _] | _]} -> list_to_integer(Port);
        _ -> ?DEFAULT_PORT
    end.

%% That of the family in which this node listens: a host with IPv6 alone may have no other.
loopback() ->
    case init:get_argument(proto_dist) of
        {ok, [["inet6_" ++ _ | _] | _]} -> loopback(inet6);
        _ -> loopback(inet)
    end.

loopback(inet6) -> {0, 0, 0, 0, 0, 0, 0, 1};
loopback(_) -> {127, 0, 0, 1}.

to_list(Atom) when is_atom(Atom) -> atom_to_list(Atom);
to_list(Ip) when is_tuple(Ip) -> inet:ntoa(Ip);
to_list(Text) -> Text.
