%% The carrier inside the VM and the processes of its connections.
-module(real_inside).

-export([disconnects/2, carriers/0, end_each/2, echo/0, upgrades/2, block/1, flood/3]).

-include("real.hrl").

%% Connects and disconnects as often, while processes send both ways without end. Nothing is left behind.
disconnects(Peer, Count) ->
    [real_connections:stream(Name, Peer, Size) || {Name, Size} <- [{inside_small, 100}, {inside_large, 100000}]],
    ok = disconnect(Peer, Count),
    [real_connections:stop_stream(Name) || Name <- [inside_small, inside_large]],
    erlang:disconnect_node(Peer),
    real:until(fun() -> carriers() =:= [] end, processes_left),
    ok.

disconnect(_Peer, 0) -> ok;
disconnect(Peer, Count) ->
    %% The other node refuses a third connection while the second one still replaces the first (`already_pending').
    real:until(fun() -> net_kernel:connect_node(Peer) end, connected),
    case Count rem 3 of
        0 -> net_kernel:disconnect(Peer);
        _ -> erlang:disconnect_node(Peer)
    end,
    disconnect(Peer, Count - 1).

%% Controllers and input handlers.
carriers() ->
    [P || F <- [controller, input], P <- of_function(F)].

of_function(Function) ->
    [P || P <- processes(), {initial_call, {beamway_dist, F, _}} <- [erlang:process_info(P, initial_call)], F =:= Function].

%% Whichever process of a connection ends, however it ends, the connection ends with all of them, and another one can begin.
end_each(Peer, Reason) ->
    lists:foreach(
      fun(Function) ->
              true = net_kernel:connect_node(Peer),
              real_connections:chat(Peer),
              [Pid | _] = of_function(Function),
              exit(Pid, Reason),
              real:until(fun() -> not lists:member(Peer, nodes(connected)) andalso carriers() =:= [] end, {Function, Reason})
      end, [controller, input, do_setup]),
    true = net_kernel:connect_node(Peer),
    real_connections:chat(Peer).

echo() ->
    register(inside_echo, spawn(fun Loop() -> receive {From, N} -> From ! {echo, N}, Loop() end end)),
    ok.

%% Loads the carrier anew as often, while calls go on. No call fails, and the node stays connected.
upgrades(Peer, Count) ->
    {_, Code, File} = code:get_object_code(beamway_dist),
    Self = self(),
    Caller = spawn_link(fun() -> call(Peer, 0, Self) end),
    lists:foreach(
      fun(_) ->
              true = code:soft_purge(beamway_dist),
              {module, beamway_dist} = code:load_binary(beamway_dist, File, Code),
              ok = beamway_dist:upgrade(),
              timer:sleep(20)
      end, lists:seq(1, Count)),
    Caller ! stop,
    receive {calls, N} -> true = N > Count end,
    ok.

call(Peer, N, Owner) ->
    {inside_echo, Peer} ! {self(), N},
    receive
        {echo, N} -> ok
    after 10000 -> error({no_answer, N})
    end,
    receive
        stop -> Owner ! {calls, N}
    after 0 -> call(Peer, N + 1, Owner)
    end.

%% No process of this VM runs for so long, while its other threads do.
block(Ms) ->
    erts_debug:set_internal_state(available_internal_state, true),
    spawn(fun() -> timer:sleep(100), erts_debug:set_internal_state(block, Ms) end),
    ok.

%% Sends as many messages to a name there, which nobody has.
flood(Peer, Count, Size) ->
    Binary = rand:bytes(Size),
    [{inside_nobody, Peer} ! Binary || _ <- lists:seq(1, Count)],
    ok.
