%% Storms of links, unlinks, monitors and exits between random pairs of two nodes; at the end both nodes agree.
-module(real_storm).

-export([run/3, dancer/1]).

-include("real.hrl").

run(Peer, Number, Steps) ->
    Here = [spawn(?MODULE, dancer, [self()]) || _ <- lists:seq(1, Number)],
    There = [spawn(Peer, ?MODULE, dancer, [self()]) || _ <- lists:seq(1, Number)],
    All = Here ++ There,
    [P ! {dance, Here, There, Steps} || P <- Here],
    [P ! {dance, There, Here, Steps} || P <- There],
    [receive {danced, P} -> ok after 30000 -> error({still_dancing, P, state(P, Peer)}) end || P <- All],
    %% Everybody greets everybody, twice: all signals sent before have arrived, and those that they caused.
    greet(All), greet(All),
    real:until(fun() -> disagreements(All) =:= [] orelse disagreements(All) end, 5000, disagreement_of_linked_processes),
    %% The end of half of them is felt by exactly those that are linked to them.
    Linked = [{P, [Q || Q <- There, lists:member(Q, links(P))]} || P <- Here],
    [exit(Q, kill) || Q <- There],
    greet(Here),
    [P ! {ended, self()} || P <- Here],
    [begin
         ?equal(lists:sort(Partners), lists:sort(?recv({ended, P, Felt}, Felt, {exits_felt_by, P})), {exits_felt_by, P})
     end || {P, Partners} <- Linked],
    [exit(P, kill) || P <- Here],
    ok.

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
    [receive {greeted, P} -> ok after 20000 -> error({nobody_greets_back, P}) end || P <- All].

%% Pairs of which one side thinks it is linked and the other does not.
disagreements(All) ->
    Links = maps:from_list([{P, links(P)} || P <- All]),
    [{P, Q} || P <- All, Q <- maps:get(P, Links), maps:is_key(Q, Links), not lists:member(P, maps:get(Q, Links))].

links(P) ->
    P ! {links, self()},
    receive {links, P, Links} -> Links after 20000 -> error({no_links_of, P}) end.

dancer(Boss) ->
    process_flag(trap_exit, true),
    receive {dance, _, Others, Steps} -> dance(list_to_tuple(Others), Steps) end,
    Boss ! {danced, self()},
    rest([]).

dance(_, 0) -> ok;
dance(Others, Steps) ->
    Other = element(rand:uniform(tuple_size(Others)), Others),
    case rand:uniform(8) of
        N when N =< 3 -> link(Other);
        N when N =< 5 -> unlink(Other);
        6 -> exit(Other, {storm, self()});
        7 -> demonitor(monitor(process, Other), [flush]);
        8 -> Other ! {noise, self(), Steps}
    end,
    dance(Others, Steps - 1).

rest(Felt) ->
    receive
        {'EXIT', _, {storm, _}} -> rest(Felt);
        {'EXIT', From, _} -> rest([From | Felt]);
        {greet, From, All} ->
            [P ! {hello, self()} || P <- All],
            [receive {hello, P} -> ok after 15000 -> exit({no_hello_of, P}) end || P <- All],
            From ! {greeted, self()},
            rest(Felt);
        {links, From} -> From ! {links, self(), element(2, process_info(self(), links))}, rest(Felt);
        {ended, From} -> last_ends(Felt, From);
        {noise, _, _} -> rest(Felt)
    end.

last_ends(Felt, From) ->
    receive {'EXIT', _, {storm, _}} -> last_ends(Felt, From);
            {'EXIT', P, _} -> last_ends([P | Felt], From)
    after 500 -> From ! {ended, self(), Felt}, rest(Felt)
    end.
