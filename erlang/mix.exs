defmodule Beamway.MixProject do
  use Mix.Project

  def project do
    [
      app: :beamway,
      version: "0.1.0",
      language: :erlang,
      description: "Attaches a node to the beamway gateway of its host",
      erlc_options: [:debug_info, :warnings_as_errors],
      deps: []
    ]
  end

  def application do
    [extra_applications: []]
  end
end
