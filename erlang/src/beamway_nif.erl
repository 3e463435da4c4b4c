%% @private
%% @doc The functions of the native library, which `erlang/native' describes.
%%
%% The module has no `-on_load': in a release of OTP 25 in embedded mode that would run after distribution starts. It must never be
%% purged, since a thread runs the code of its library; so whatever may change is in other modules.
-module(beamway_nif).

-export([load/0]).
-export([start/2, stop/0, attach/3, detach/0, selects/1, pulse/0, log/0, logged/0, info/0, names/1]).
-export([accept/0, open/3, own/2, handshake/2, established/2, send/2, taken/2, suspended/3, statistics/1]).

-export_type([circuit/0]).

-opaque circuit() :: reference().

%% @doc Loads the library, which stands in `priv' beside the folder of this module, if it is not loaded.
-spec load() -> ok | {error, unicode:chardata()}.
load() ->
    case erlang:load_nif(path(), 0) of
        ok -> ok;
        {error, {reload, _}} -> ok;
        {error, {upgrade, _}} -> ok;
        {error, {_, Text}} -> {error, Text}
    end.

%% `code:priv_dir/1' asks a server that may not run yet, so the module's own place comes first.
path() ->
    Beam =
        case code:which(?MODULE) of
            File when is_list(File) -> File;
            _ -> "."
        end,
    filename:join([filename:dirname(filename:dirname(Beam)), "priv", "beamway_nif"]).

-spec start(binary(), boolean()) -> ok | {error, [binary()]}.
start(_File, _Listens) -> not_loaded().

-spec stop() -> ok.
stop() -> not_loaded().

-spec attach(binary(), binary(), boolean()) -> {ok, pos_integer()} | {error, binary()}.
attach(_Name, _Host, _IsHidden) -> not_loaded().

-spec detach() -> ok.
detach() -> not_loaded().

-spec selects(binary()) -> boolean().
selects(_Node) -> not_loaded().

-spec pulse() -> ok.
pulse() -> not_loaded().

-spec log() -> ok.
log() -> not_loaded().

-spec logged() -> ok.
logged() -> not_loaded().

-spec info() -> map().
info() -> not_loaded().

-spec names(binary()) -> [binary()].
names(_Host) -> not_loaded().

-spec accept() -> ok | closed.
accept() -> not_loaded().

-spec open(binary(), iodata(), pid()) -> circuit().
open(_Node, _SendName, _Controller) -> not_loaded().

-spec own(circuit(), pid()) -> ok | closed.
own(_Circuit, _Controller) -> not_loaded().

-spec handshake(circuit(), iodata()) -> ok | closed.
handshake(_Circuit, _Message) -> not_loaded().

-spec established(circuit(), pid()) -> ok | closed.
established(_Circuit, _Input) -> not_loaded().

-spec send(circuit(), [{pos_integer(), [binary()]}]) -> ok | wait | closed | {error, binary()}.
send(_Circuit, _Packets) -> not_loaded().

-spec taken(circuit(), non_neg_integer()) -> ok.
taken(_Circuit, _Cost) -> not_loaded().

-spec suspended(circuit(), non_neg_integer(), non_neg_integer()) -> ok.
suspended(_Circuit, _Now, _More) -> not_loaded().

-spec statistics(circuit()) -> {non_neg_integer(), non_neg_integer(), boolean()}.
statistics(_Circuit) -> not_loaded().

not_loaded() -> erlang:nif_error(not_loaded).
