%% Storms of links, unlinks, monitors and exits between random pairs of two nodes; at the end both nodes agree.
-module(real_storm).

-export([run/4, dancer/1]).

-include("real.hrl").

%% Mode `apart`: of each pair only one side links and unlinks. Mode `crossing`: both sides do. In either, stock
%% distribution itself leaves a pair in disagreement once in thirty storms (OTP 25.2.3; the control of this case shows it),
%% so two pairs of the 144 in a storm are let pass.
-define(TOLERATED, 2).

run(Peer, Mode, Number, Steps) ->
    Here = [spawn(?MODULE, dancer, [self()]) || _ <- lists:seq(1, Number)],
    There = [spawn(Peer, ?MODULE, dancer, [self()]) || _ <- lists:seq(1, Number)],
    All = Here ++ There,
    %% An exit signal to one that does not trap exits yet would end it.
    [?recv({trapping, P}, {dancer, P}) || P <- All],
    [P ! {dance, There, partners(Mode, 0, I, There), Steps} || {I, P} <- numbered(Here)],
    [P ! {dance, Here, partners(Mode, 1, I, Here), Steps} || {I, P} <- numbered(There)],
    [receive {danced, P} -> ok after real:patience(30000) -> error({still_dancing, P, state(P, Peer)}) end || P <- All],
    %% Everybody greets everybody, twice: all signals sent before have arrived, and those that they caused.
    greet(All), greet(All),
    real:until(fun() ->
                       Pairs = disagreements(All),
                       length(Pairs) =< ?TOLERATED orelse Pairs
               end, real:patience(5000), {disagreement_of_linked_processes, Mode}),
    felt(Here, There, disagreements(All)),
    [exit(P, kill) || P <- Here],
    ok.

numbered(Pids) -> lists:zip(lists:seq(1, length(Pids)), Pids).

%% Those of the other side that number I of this side may link with.
partners(crossing, _, _, Others) -> Others;
partners(apart, Side, I, Others) -> [P || {J, P} <- numbered(Others), (I + J) rem 2 =:= Side].

%% The end of half of them is felt by exactly those that are linked to them.
felt(Here, There, Disagreements) ->
    Linked = [{P, [Q || Q <- There, lists:member(Q, links(P)), not lists:member({P, Q}, Disagreements)]} || P <- Here],
    [exit(Q, kill) || Q <- There],
    greet(Here),
    [P ! {ended, self()} || P <- Here],
    [?equal(lists:sort(Partners), lists:sort(?recv({ended, P, Felt}, Felt, {exits_felt_by, P})), {exits_felt_by, P})
     || {P, Partners} <- Linked].

%% Where it hangs, asked by the side that may still be reached.
state(P, Peer) ->
    What = [status, current_function, message_queue_len],
    Queues = [{N, erlang:port_info(Port, queue_size)} || {N, Port} <- [{Peer, C} || {_, C} <- erlang:system_info(dist_ctrl), is_port(C)]],
    {case node(P) =:= node() of
         true -> process_info(P, What);
         false -> rpc:call(Peer, erlang, process_info, [P, What], 3000)
     end, {queue_towards_the_peer, Queues}}.

greet(All) ->
    [P ! {greet, self(), All} || P <- All],
    [receive {greeted, P} -> ok after real:patience(20000) -> error({nobody_greets_back, P}) end || P <- All].

%% Pairs of which one side thinks it is linked and the other does not.
disagreements(All) ->
    Links = maps:from_list([{P, links(P)} || P <- All]),
    [{P, Q} || P <- All, Q <- maps:get(P, Links), maps:is_key(Q, Links), not lists:member(P, maps:get(Q, Links))].

links(P) ->
    P ! {links, self()},
    receive {links, P, Links} -> Links after real:patience(20000) -> error({no_links_of, P}) end.

dancer(Boss) ->
    process_flag(trap_exit, true),
    Boss ! {trapping, self()},
    receive {dance, Others, Partners, Steps} -> dance(list_to_tuple(Others), list_to_tuple(Partners), Steps) end,
    Boss ! {danced, self()},
    rest([]).

dance(_, _, 0) -> ok;
dance(Others, Partners, Steps) ->
    Other = element(rand:uniform(tuple_size(Others)), Others),
    Partner = element(rand:uniform(tuple_size(Partners)), Partners),
    case rand:uniform(8) of
        N when N =< 3 -> link(Partner);
        N when N =< 5 -> unlink(Partner);
        6 -> exit(Other, {storm, self()});
        7 -> demonitor(monitor(process, Other), [flush]);
        8 -> Other ! {noise, self(), Steps}
    end,
    dance(Others, Partners, Steps - 1).

rest(Felt) ->
    receive
        {'EXIT', _, {storm, _}} -> rest(Felt);
        {'EXIT', From, _} -> rest([From | Felt]);
        {greet, From, All} ->
            [P ! {hello, self()} || P <- All],
            [receive {hello, P} -> ok after real:patience(15000) -> exit({no_hello_of, P}) end || P <- All],
            From ! {greeted, self()},
            rest(Felt);
        {links, From} -> From ! {links, self(), element(2, process_info(self(), links))}, rest(Felt);
        {ended, From} -> last_ends(Felt, From);
        {noise, _, _} -> rest(Felt)
    end.

last_ends(Felt, From) ->
    receive {'EXIT', _, {storm, _}} -> last_ends(Felt, From);
            {'EXIT', P, _} -> last_ends([P | Felt], From)
    after real:patience(500) -> From ! {ended, self(), Felt}, rest(Felt)
    end.
