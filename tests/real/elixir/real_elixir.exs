# What Elixir builds upon distribution. The console of the node calls these functions; they raise when something is wrong.
defmodule Shop.Order do
  defstruct [:id, :tags, note: nil]
end

defmodule RealElixir do
  defmodule Counter do
    use GenServer

    def init(count), do: {:ok, count}

    def handle_call({:add, n}, _, count), do: {:reply, count + n, count + n}
    def handle_call({:echo, term}, _, count), do: {:reply, {node(), term}, count}
    def handle_call({:stop, reply}, _, count), do: {:stop, :normal, reply, count}
    def handle_call(:silence, _, count), do: {:noreply, count}

    def handle_cast({:add, n}, count), do: {:noreply, count + n}
  end

  # Starts what the other node will use, held by a process of its own: that of a command ends with it.
  def prepare() do
    me = self()

    spawn(fn ->
      {:ok, _} = Task.Supervisor.start_link(name: RealElixir.Tasks)
      {:ok, _} = GenServer.start_link(Counter, 0, name: RealElixir.Counter)
      send(me, :prepared)
      Process.sleep(:infinity)
    end)

    receive do
      :prepared -> :ok
    end
  end

  def nodes(peer) do
    :pong = Node.ping(peer)
    equal([peer], Node.list())
    equal([Node.self()], :erpc.call(peer, Node, :list, []))
    equal(peer, node(Node.spawn(peer, fn -> :ok end)))
    :ok
  end

  def tasks(peer) do
    tasks = {RealElixir.Tasks, peer}
    large = :binary.copy("x", 200_000)

    answers =
      1..200
      |> Enum.map(fn n -> Task.Supervisor.async(tasks, fn -> {n, node(), payload(n, large)} end) end)
      |> Task.await_many(20_000)

    equal(Enum.map(1..200, fn n -> {n, peer, payload(n, large)} end), answers)

    stream = Task.Supervisor.async_stream(tasks, 1..1000, RealElixir, :double, [], max_concurrency: 100)
    equal(Enum.map(1..1000, fn n -> {:ok, {peer, 2 * n}} end), Enum.to_list(stream))

    # Tasks of another node that fail, that are given up, and that nobody waits for.
    failing = Task.Supervisor.async_nolink(tasks, fn -> exit({:failed, large}) end)
    equal({:exit, {:failed, large}}, Task.yield(failing, 10_000))
    endless = Task.Supervisor.async_nolink(tasks, fn -> Process.sleep(:infinity) end)
    equal(nil, Task.yield(endless, 50))
    equal(nil, Task.shutdown(endless, :brutal_kill))
    me = self()
    {:ok, child} = Task.Supervisor.start_child(tasks, fn -> send(me, {:from, node()}) end)
    equal(peer, node(child))

    receive do
      {:from, ^peer} -> :ok
    after
      10_000 -> raise "the child of #{peer} said nothing"
    end
  end

  def servers(peer) do
    counter = {RealElixir.Counter, peer}
    before = GenServer.call(counter, {:add, 0})
    Enum.each(1..500, fn n -> GenServer.cast(counter, {:add, n}) end)
    # Casts and a call of one process keep their order.
    equal(before + 125_250, GenServer.call(counter, {:add, 0}))
    equal(:abcast, GenServer.abcast([peer], RealElixir.Counter, {:add, 1}))
    equal(before + 125_251, GenServer.call(counter, {:add, 0}))
    {replies, []} = GenServer.multi_call([Node.self(), peer], RealElixir.Counter, {:echo, :all}, 10_000)
    equal(Enum.sort([{Node.self(), {Node.self(), :all}}, {peer, {peer, :all}}]), Enum.sort(replies))

    Enum.each(1..100, fn n ->
      {:ok, server} = :erpc.call(peer, GenServer, :start, [Counter, n])
      watch = Process.monitor(server)
      equal({peer, n}, GenServer.call(server, {:echo, n}))
      equal({:bye, n}, GenServer.call(server, {:stop, {:bye, n}}))

      receive do
        {:DOWN, ^watch, :process, ^server, reason} -> equal(:normal, reason)
      after
        10_000 -> raise "no DOWN of #{inspect(server)}"
      end
    end)

    {:timeout, _} = catch_exit(fn -> GenServer.call(counter, :silence, 100) end)
    :ok
  end

  # What a native node does with a struct, and with the fields that it leaves alone.
  def order(peer) do
    again = fn order -> :erpc.call(peer, :shop, :again, [order]) end
    equal(%Shop.Order{id: 2, tags: [:new, :again]}, again.(%Shop.Order{id: 1, tags: [:new]}))
    equal(%Shop.Order{id: 3, tags: [:again], note: "TEA"}, again.(%Shop.Order{id: 2, tags: [], note: "tea"}))

    try do
      again.(%{id: 1, tags: []})
      raise "a map is no order"
    rescue
      error in ErlangError -> {:exception, :function_clause, _} = error.original
    end

    :ok
  end

  # What a native node raises, as Elixir sees it.
  def failures(peer) do
    fail = fn function, class -> :erpc.call(peer, :shop, function, [class]) end
    equal({:exception, :gone}, catch_exit(fn -> fail.(:fail, :exit) end))
    equal(:ball, catch_throw(fn -> fail.(:fail, :throw) end))

    for {function, reason} <- [fail: :badarg, nothing: :undef] do
      try do
        fail.(function, :error)
        raise "it did not fail"
      rescue
        error in ErlangError -> {:exception, ^reason, [_ | _]} = error.original
      end
    end

    :ok
  end

  # The lines that `examples/cache.rs` tells to type.
  def cache(peer) do
    server = {:cache, peer}
    equal(:error, GenServer.call(server, {:get, :cost}))
    equal(:ok, GenServer.cast(server, {:put, :price, 12.5}))
    equal({:ok, 12.5}, GenServer.call(server, {:get, :price}))
    equal(:ok, GenServer.cast(server, {:put, %{sku: "tea"}, ~c"list"}))
    equal({:ok, ~c"list"}, GenServer.call(server, {:get, %{sku: "tea"}}))
    equal({:error, :bad_request}, GenServer.call(server, :nonsense))
    equal(11_158_630_452_276_271_175, :erpc.call(peer, :cache, :hash, ["some text"]))
    :ok
  end

  # Says on standard output that it watches, then waits for the end of the other node.
  def watch(peer) do
    true = Node.monitor(peer, true)
    IO.puts("watching #{peer}")

    receive do
      {:nodedown, ^peer} -> equal([], Node.list())
    after
      30_000 -> raise "no nodedown of #{peer}"
    end
  end

  def double(n), do: {node(), 2 * n}

  defp payload(n, large) when rem(n, 20) == 0, do: large
  defp payload(n, _), do: n

  defp catch_throw(fun) do
    fun.()
    raise "it did not throw"
  catch
    :throw, thrown -> thrown
  end

  defp catch_exit(fun) do
    fun.()
    raise "it did not exit"
  catch
    :exit, reason -> reason
  end

  defp equal(same, same), do: :ok
  defp equal(expected, actual), do: raise("expected #{inspect(expected)}, got #{inspect(actual)}")
end
