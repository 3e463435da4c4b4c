%% @doc Finds other nodes through the beamway gateway of this host.
%%
%% Start a node with `-epmd_module beamway_epmd -start_epmd false'. Registration is that of a stock node: over loopback, on
%% the port of `ERL_EPMD_PORT' (default 4369), kept open, and renewed when the gateway restarts. Only looking up differs:
%% a stock node asks the port mapper of the other node's host by the short name, this module asks the local gateway by
%% the full name. So nodes on different hosts attach without any change to name resolution, and equal short names on
%% several hosts stay apart.
%%
%% The module runs while kernel starts, so it uses nothing beyond kernel and stdlib. It works on OTP 25 to 29.
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
%% A look-up may open a listener at the gateway; that takes no time to speak of.
-define(TIMEOUT, 5000).

%% @doc Starts the process that keeps the registration.
start_link() ->
    erl_epmd:start_link().

%% @private
register_node(Name, Port) ->
    erl_epmd:register_node(Name, Port).

%% @doc Registers this node at the gateway. The third argument is a driver in OTP 25 and an address family later.
register_node(Name, Port, FamilyOrDriver) ->
    erl_epmd:register_node(Name, Port, FamilyOrDriver).

%% @doc Where to connect for the node `Name@Host': always this host, on the port where the gateway stands for that node.
address_please(Name, Host, Family) ->
    Ip = loopback(Family),
    case look_up(to_list(Name) ++ "@" ++ to_list(Host), Ip) of
        {ok, Port} -> {ok, Ip, Port, ?VERSION};
        {error, _} = Error -> Error
    end.

%% @doc The port of a node by its short name, as tools ask it.
port_please(Name, Host) ->
    port_please(Name, Host, infinity).

%% @private
port_please(Name, Host, _Timeout) when is_tuple(Host) ->
    port(look_up(to_list(Name), Host));
port_please(Name, Host, _Timeout) ->
    port(look_up(to_list(Name) ++ "@" ++ to_list(Host), loopback(inet))).

%% @doc Nodes listen where they like; the gateway learns it when they register.
listen_port_please(_Name, _Host) ->
    {ok, 0}.

%% @doc The nodes registered at the gateway of this host.
names() ->
    erl_epmd:names().

%% @private
names(Host) ->
    erl_epmd:names(Host).

%% Asks the gateway; it answers and closes.
look_up(Name, Ip) ->
    Request = unicode:characters_to_binary([?PORT2_REQ, Name]),
    Options = [binary, {active, false}, {packet, raw}],
    case gen_tcp:connect(Ip, gateway_port(), Options, ?TIMEOUT) of
        {ok, Socket} ->
            ok = inet:setopts(Socket, [{nodelay, true}]),
            Answer =
                case gen_tcp:send(Socket, [<<(byte_size(Request)):16>>, Request]) of
                    ok -> read_answer(Socket, <<>>);
                    {error, _} = Error -> Error
                end,
            gen_tcp:close(Socket),
            Answer;
        {error, _} = Error ->
            Error
    end.

read_answer(_Socket, <<?PORT2_RESP, 0, Port:16, _/binary>>) ->
    {ok, Port};
read_answer(_Socket, <<?PORT2_RESP, Result, _/binary>>) when Result =/= 0 ->
    {error, nxdomain};
read_answer(Socket, Read) when byte_size(Read) < 4 ->
    case gen_tcp:recv(Socket, 0, ?TIMEOUT) of
        {ok, More} -> read_answer(Socket, <<Read/binary, More/binary>>);
        {error, _} = Error -> Error
    end;
read_answer(_Socket, _Read) ->
    {error, einval}.

port({ok, Port}) -> {port, Port, ?VERSION};
port({error, _}) -> noport.

%% `erl' turns ERL_EPMD_PORT into this argument.
gateway_port() ->
    case init:get_argument(epmd_port) of
        {ok, [[Port | _] | _]} -> list_to_integer(Port);
        _ -> ?DEFAULT_PORT
    end.

loopback(inet6) -> {0, 0, 0, 0, 0, 0, 0, 1};
loopback(_) -> {127, 0, 0, 1}.

to_list(Atom) when is_atom(Atom) -> atom_to_list(Atom);
to_list(Ip) when is_tuple(Ip) -> inet:ntoa(Ip);
to_list(Text) -> Text.
