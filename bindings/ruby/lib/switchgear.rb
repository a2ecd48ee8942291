# frozen_string_literal: true

# Circuit breakers that threads, processes and languages share.
require_relative "switchgear/native"
require_relative "switchgear/circuit"
require_relative "switchgear/panel"
