defmodule Beamway.MixProject do
  use Mix.Project

  def project do
    [
      app: :beamway,
      version: "0.1.0",
      language: :erlang,
      description: "Erlang distribution over QUIC: inside the VM, or through the beamway gateway of the host",
      erlc_options: [:debug_info, :warnings_as_errors],
      deps: []
    ]
  end

  def application do
    [extra_applications: []]
  end
end
