%% @doc What can be asked of beamway inside this VM.
-module(beamway).

-export([info/0, names/1]).

%% @doc The lanes of this node, and its connections over them; an empty map if beamway does not run in this VM.
%%
%% `name', `address' and `version' are those of the lanes. `memory' is how many bytes of signals have arrived
%% from all peers and are kept outside of the VM until it takes them: at most `memory_limit', which is `[gateway] memory' of the file.
%% `circuits' has a map for each connection:
%%
%% <ul>
%% <li>`node', `peer': the other node, and the daemon through which it is reached;</li>
%% <li>`sent', `received': packets sent, and batches of packets received, so far;</li>
%% <li>`to_send': whether packets that the VM handed over wait for room;</li>
%% <li>`to_deliver': bytes that have arrived and that the VM has not taken yet;</li>
%% <li>`suspended', `suspensions': how many processes are suspended now, since most of what is on the way to the other node is theirs,
%% and how often one was;</li>
%% <li>`far_is_silent': whether the other node gives no sign of life.</li>
%% </ul>
-spec info() -> map().
info() ->
    try
        beamway_nif:info()
    catch
        error:not_loaded -> #{}
    end.

%% @doc The nodes of a host that this node can connect to, as far as peers have announced them, and this node itself if it is of this
%% host. `Host' is the part behind the `@' of their names.
-spec names(unicode:chardata()) -> [node()].
names(Host) ->
    try
        [binary_to_atom(Name) || Name <- beamway_nif:names(unicode:characters_to_binary(Host))]
    catch
        error:not_loaded -> []
    end.
