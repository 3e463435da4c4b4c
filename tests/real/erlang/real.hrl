%% Waits for a message and gives Value; what is missing is named, and the mailbox shown.
-define(recv(Pattern, Value, What),
        (fun() -> receive Pattern -> Value after real:patience(10000) -> error({missing, What, real:mailbox()}) end end)()).
-define(recv(Pattern, What), ?recv(Pattern, ok, What)).

%% No such message comes: only after something that would have followed it.
-define(none(Pattern, What),
        (fun() -> receive Pattern -> error({unwanted, What, real:mailbox()}) after 0 -> ok end end)()).

-define(equal(Expected, Actual, What), real:equal(Expected, Actual, What)).
