%% The ring of ring.lua on Erlang/OTP:
%%   erlc -o /tmp benches/tasks/ring.erl && erl +S 1 +P 2000000 -noshell -pa /tmp -s ring main -s init stop
%% Prints spawns a second, bytes for a parked process, and messages passed a second round a ring of 10,000.
-module(ring).
-export([main/0, hop/1, wait/0]).

-define(PARKED, 1000000).
-define(RING, 10000).
-define(ROUNDS, 500).

main() ->
    [ring() || _ <- lists:seq(1, 3)],
    parked().

parked() ->
    Before = rss(),
    {Micros, Pids} = timer:tc(fun() -> [spawn(?MODULE, wait, []) || _ <- lists:seq(1, ?PARKED)] end),
    After = rss(),
    io:format("~p spawns a second, ~p bytes for each of ~p parked processes~n",
              [?PARKED * 1000000 div Micros, (After - Before) div ?PARKED, ?PARKED]),
    [exit(Pid, kill) || Pid <- Pids],
    ok.

wait() ->
    receive stop -> ok end.

%% Each process passes what it gets on to the next; the last one to the first.
ring() ->
    Self = self(),
    First = lists:foldl(fun(_, Next) -> spawn(?MODULE, hop, [Next]) end, Self, lists:seq(1, ?RING - 1)),
    {Micros, ok} = timer:tc(fun() -> rounds(First, ?ROUNDS) end),
    io:format("~p messages a second~n", [?RING * ?ROUNDS * 1000000 div Micros]),
    First ! stop,
    receive stop -> ok end.

rounds(_, 0) ->
    ok;
rounds(First, N) ->
    First ! {self(), N},
    receive {_, N} -> rounds(First, N - 1) end.

hop(Next) ->
    receive
        {_, N} -> Next ! {self(), N}, hop(Next);
        stop -> Next ! stop
    end.

rss() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:tokens(binary_to_list(Text), " "),
    list_to_integer(Pages) * 4096.
