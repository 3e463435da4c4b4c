%% The console of a node under test: reads expressions from standard input, one a line, and prints one line for each,
%% `@@ok VALUE` or `@@error REASON`. Ends the node when its input ends, so that no node outlives its test.
-module(real).

-export([start/0, patience/1, patient/1, until/2, until/3, equal/3, mailbox/0, known/2, port_of/2, listening_port/0, parallel/1,
         unique_name/1, releases_apart/1, older/1, down/1, watch/0, watched/1, reasons/1]).

start() ->
    spawn(fun() ->
                  register(real_console, self()),
                  Port = open_port({fd, 0, 1}, [in, eof, binary, {line, 1 bsl 20}]),
                  answer("ok", ready),
                  loop(Port)
          end).

loop(Port) ->
    receive
        {Port, {data, {eol, Line}}} ->
            evaluate(binary_to_list(Line)),
            loop(Port);
        {Port, eof} ->
            erlang:halt(0, [{flush, false}]);
        _ ->
            loop(Port)
    end.

%% In a process of its own, so that no message or link is left for the next one.
evaluate(Line) ->
    {Pid, Ref} = spawn_monitor(fun() -> exit({value, value(Line)}) end),
    receive
        {'DOWN', Ref, process, Pid, {value, {ok, Value}}} -> answer("ok", Value);
        {'DOWN', Ref, process, Pid, {value, {error, Reason}}} -> answer("error", Reason);
        {'DOWN', Ref, process, Pid, Reason} -> answer("error", {died, Reason})
    end.

value(Line) ->
    try
        {ok, Tokens, _} = erl_scan:string(Line),
        {ok, Expressions} = erl_parse:parse_exprs(Tokens),
        {value, Value, _} = erl_eval:exprs(Expressions, erl_eval:new_bindings()),
        {ok, Value}
    catch
        Class:Reason:Stack -> {error, {Class, Reason, lists:sublist([where(S) || S <- Stack], 6)}}
    end.

where({M, F, A, Location}) when is_list(A) -> {M, F, length(A), proplists:get_value(line, Location)};
where({M, F, A, Location}) -> {M, F, A, proplists:get_value(line, Location)}.

answer(Kind, Term) ->
    Text = io_lib:format("~0tp", [Term], [{chars_limit, 3000}]),
    io:put_chars(user, ["\n@@", Kind, " ", [C || C <- lists:flatten(Text), C =/= $\n], "\n"]).

%% How long to wait for what comes within so many milliseconds here: longer by a factor where the line is bad.
patience(Milliseconds) -> Milliseconds * persistent_term:get(real_patience, 1).

patient(Factor) -> persistent_term:put(real_patience, Factor).

until(Fun, What) -> until(Fun, 10000, What).

until(Fun, Milliseconds, What) ->
    until_deadline(Fun, erlang:monotonic_time(millisecond) + Milliseconds, What).

until_deadline(Fun, Deadline, What) ->
    case Fun() of
        true -> ok;
        Other ->
            case erlang:monotonic_time(millisecond) > Deadline of
                true -> error({never, What, Other});
                false -> timer:sleep(5), until_deadline(Fun, Deadline, What)
            end
    end.

equal(Same, Same, _) -> ok;
equal(Expected, Actual, What) when is_list(Expected), is_list(Actual) ->
    %% Where they part, not the whole of them.
    {Index, E, A} = part(Expected, Actual, 1),
    error({What, {differs_at, Index}, {expected, short(E)}, {got, short(A)}});
equal(Expected, Actual, What) -> error({What, {expected, Expected}, {got, Actual}}).

part([Same | E], [Same | A], N) -> part(E, A, N + 1);
part(E, A, N) -> {N, E, A}.

short([A, B, C, D | _]) -> [A, B, C, D, '...'];
short(Short) -> Short.

mailbox() ->
    {messages, Messages} = process_info(self(), messages),
    {length(Messages), lists:sublist(Messages, 5)}.

%% Whether the port mapper that this node asks knows the name at that host.
known(_Name, _Host) when node() =:= nonode@nohost ->
    %% The carrier inside the VM starts with the first connection, which waits for its peers.
    true;
known(Name, Host) ->
    case init:get_argument(proto_dist) of
        {ok, [["beamway" | _] | _]} -> lists:member(list_to_atom(Name ++ "@" ++ Host), beamway:names(Host));
        _ -> is_integer(port_of(Name, Host))
    end.

family() ->
    case init:get_argument(proto_dist) of
        {ok, [["inet6_" ++ _ | _] | _]} -> inet6;
        _ -> inet
    end.

port_of(Name, Host) ->
    Module = net_kernel:epmd_module(),
    Address = case erlang:function_exported(Module, address_please, 3) of
                  true -> Module:address_please(Name, Host, family());
                  false -> inet:getaddr(Host, family())
              end,
    case Address of
        {ok, _, Port, _} -> Port;
        {ok, Ip} ->
            case Module:port_please(Name, Ip) of
                {port, Port, _} -> Port;
                Other -> Other
            end;
        Other -> Other
    end.

%% The port that this node itself listens on.
listening_port() ->
    [Port | _] = [P || S <- erlang:ports(),
                       erlang:port_info(S, name) =:= {name, "tcp_inet"},
                       {ok, P} <- [listens(S)]],
    Port.

listens(Socket) ->
    case inet:sockname(Socket) of
        {ok, {_, Port}} ->
            case inet:peername(Socket) of
                {error, enotconn} -> {ok, Port};
                _ -> no
            end;
        _ -> no
    end.

%% Runs all at once; fails with the first failure.
parallel(Funs) ->
    %% Exits rather than errors: the log would repeat each of them.
    Safe = fun(Fun) -> try {returned, Fun()} catch Class:Reason:Stack -> {Class, Reason, lists:sublist(Stack, 3)} end end,
    Running = [spawn_monitor(fun() -> exit(Safe(Fun)) end) || Fun <- Funs],
    [receive
         {'DOWN', Ref, process, Pid, {returned, Value}} -> Value;
         {'DOWN', Ref, process, Pid, Reason} -> error({in_parallel, Reason})
     end || {Pid, Ref} <- Running].

%% The integer is unique only within a node, and some names are registered at both.
unique_name(Prefix) ->
    [Name, _Host] = string:split(atom_to_list(node()), "@"),
    list_to_atom(Prefix ++ Name ++ "_" ++ integer_to_list(erlang:unique_integer([positive]))).

%% By how many the OTP releases of this node and Peer differ.
releases_apart(Peer) -> abs(release(node()) - release(Peer)).

%% This node or Peer, whichever runs the older release: the other one understands what it compiles.
older(Peer) ->
    case release(node()) =< release(Peer) of true -> node(); false -> Peer end.

release(Node) -> list_to_integer(erpc:call(Node, erlang, system_info, [otp_release])).

%% Ends the connection, and waits until this side knows.
down(Peer) ->
    erlang:disconnect_node(Peer),
    until(fun() -> not lists:member(Peer, nodes(connected)) end, {disconnected, Peer}).

%% Notes every nodeup and nodedown from now on; `watched/1` gives those of one node, oldest first, and `reasons/1` why it went.
watch() ->
    case whereis(real_watch) of
        undefined -> ok;
        Former ->
            Monitor = monitor(process, Former),
            exit(Former, kill),
            receive {'DOWN', Monitor, process, Former, _} -> ok end
    end,
    Self = self(),
    spawn(fun() ->
                  register(real_watch, self()),
                  ok = net_kernel:monitor_nodes(true, [{node_type, all}, nodedown_reason]),
                  Self ! watching,
                  watch_loop([])
          end),
    receive watching -> ok end.

watch_loop(Seen) ->
    receive
        {nodeup, Node, Info} -> watch_loop([{nodeup, Node, Info} | Seen]);
        {nodedown, Node, Info} -> watch_loop([{nodedown, Node, Info} | Seen]);
        {ask, From, Ref} -> From ! {Ref, lists:reverse(Seen)}, watch_loop(Seen)
    end.

watched(Node) ->
    [Event || {Event, N, _} <- seen(), N =:= Node].

reasons(Node) ->
    [proplists:get_value(nodedown_reason, Info) || {nodedown, N, Info} <- seen(), N =:= Node].

seen() ->
    Ref = make_ref(),
    real_watch ! {ask, self(), Ref},
    receive {Ref, Seen} -> Seen end.
