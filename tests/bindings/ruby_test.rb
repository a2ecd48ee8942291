# frozen_string_literal: true

# The Ruby package against the library. Times are given, so nothing waits.
require "timeout"
require_relative "../../bindings/ruby/lib/switchgear"

SECOND = 1_000_000_000
START = 1000 * SECOND

def expect(expected, actual)
  return if expected == actual

  raise "expected #{expected.inspect}, got #{actual.inspect}"
end

def raised
  yield
  nil
rescue Exception => e # rubocop:disable Lint/RescueException
  e
end

def guarded(**config)
  clock = [START]
  panel = Switchgear::Panel.open(nil, clock: -> { clock[0] })
  config = { failure_threshold: 2, recovery_jitter_pct: nil, inflight_max: 4 }.merge(config)
  [panel.circuit("payments", **config), panel, clock]
end

def outcomes(circuit)
  circuit.snapshot.outcomes.select { |_, count| count.positive? }
end

TESTS = {
  "a call that succeeds" => lambda {
    circuit, = guarded
    expect(42, circuit.call { expect(1, circuit.snapshot.inflight) || 42 })
    expect(0, circuit.snapshot.inflight)
    expect({ success: 1 }, outcomes(circuit))
  },
  "exceptions are classified" => lambda {
    circuit, = guarded(failure_threshold: nil)
    errors = [RuntimeError.new, Errno::ECONNREFUSED.new, Timeout::Error.new, Errno::ETIMEDOUT.new,
              Interrupt.new, Switchgear::Rejected.new("other", :open, 1.0)]
    errors.each { |error| expect(error, raised { circuit.call { raise error } }) }
    expect({ failure: 2, timeout: 2, ignored: 1, cancelled: 1 }, outcomes(circuit))
    expect(0, circuit.snapshot.inflight)
  },
  "the caller's classification comes first" => lambda {
    _, panel, = guarded
    circuit = panel.circuit("mail", classify: ->(e) { :ignored if e.is_a?(KeyError) })
    raised { circuit.call { raise KeyError } }
    raised { circuit.call { raise Timeout::Error } }
    raised { circuit.call(classify: ->(_) { :cancelled }) { raise KeyError } }
    expect({ timeout: 1, ignored: 1, cancelled: 1 }, outcomes(circuit))
  },
  "a classification that fails still gives back" => lambda {
    circuit, = guarded
    error = raised { circuit.call(classify: ->(_) { 1 / 0 }) { raise "down" } }
    expect(ZeroDivisionError, error.class)
    expect([0, { failure: 1 }], [circuit.snapshot.inflight, outcomes(circuit)])
  },
  "an outcome without an exception" => lambda {
    circuit, = guarded
    circuit.call { |permit| permit.outcome = :failure }
    expect({ failure: 1 }, outcomes(circuit))
  },
  "a block left early is cancelled, one left by next is not" => lambda {
    circuit, = guarded
    catch(:out) { circuit.call { throw :out } }
    [1].each { circuit.call { break } }
    circuit.call { next 5 }
    expect({ cancelled: 2, success: 1 }, outcomes(circuit))
    expect(0, circuit.snapshot.inflight)
  },
  "rejected: raised, or the fallback answers" => lambda {
    circuit, _, clock = guarded(recovery: "5s")
    2.times { raised { circuit.call { raise "down" } } }
    clock[0] += SECOND
    no = raised { circuit.call { raise "was called" } }
    expect([Switchgear::Rejected, :open, 4.0], [no.class, no.verdict, no.retry_after])
    expect("payments: rejected (open), retry after 4.000 s", no.message)
    expect("later", circuit.call(fallback: ->(_) { "later" }) { "now" })
  },
  "a permit is released once, at the times given" => lambda {
    circuit, = guarded(recovery: "5s")
    2.times do
      permit = circuit.acquire(START)
      permit.release(:failure, START)
      permit.release(:success, START)
    end
    expect({ failure: 2 }, outcomes(circuit))
    expect(:open, circuit.snapshot(START + 4 * SECOND).state)
    expect(:half_open, circuit.snapshot(START + 5 * SECOND).state)
    expect(true, circuit.acquire(START + 5 * SECOND).permitted?)
    expect(ArgumentError, raised { circuit.acquire.release(:bogus) }.class)
  },
  "configurations" => lambda {
    circuit, panel, = guarded(slow: "500ms", slow_pct: "80%")
    config = circuit.snapshot.config
    expect([500, 80, nil], config.values_at(:slow_ms, :slow_pct, :rate_per_s))
    classic = panel.circuit("classic", profile: :classic, recovery: "4s")
    config = classic.snapshot.config
    expect([5, 1, 4000], config.values_at(:failure_threshold, :probes, :recovery_ms))
    other = panel.circuit("classic", probes: 7)
    expect([true, 1], [other.differs?, other.snapshot.config_conflicts])
    circuit.configure(failure_threshold: 9)
    expect(9, circuit.snapshot.config[:failure_threshold])
  },
  "mistakes in configurations" => lambda {
    _, panel, = guarded
    { { bogus: 1 } => "no such circuit option: bogus",
      { failure_pct: 101 } => "failure_pct: 101 is out of range, or not a value it takes",
      { window: "1s", window_calls: 5 } =>
        "window_calls excludes window_ms: the window counts time or calls" }.each do |config, text|
      error = raised { panel.circuit("mail", **config) }
      expect([ArgumentError, text], [error.class, error.message])
    end
    expect(ArgumentError, raised { Switchgear::Panel.open("no/such/name") }.class)
  },
  "overrides and reset" => lambda {
    circuit, _, clock = guarded
    circuit.override(:forced_open, seconds: 2, reason: "deploy")
    expect([:forced, "deploy"], [circuit.acquire.verdict, circuit.snapshot.override_reason])
    clock[0] += 2 * SECOND
    2.times { raised { circuit.call { raise "down" } } }
    expect(:open, circuit.snapshot.state)
    circuit.reset
    expect(:closed, circuit.snapshot.state)
  },
  "looking circuits up, and a closed panel" => lambda {
    circuit, panel, = guarded
    panel.circuit("mail")
    expect(%w[payments mail], panel.map(&:name))
    expect(["mail", nil], [panel["mail"].name, panel["no"]])
    permit = circuit.acquire
    panel.close
    permit.release
    expect("the panel is closed", raised { circuit.acquire }.message)
    expect("the panel is closed", raised { panel.circuit("mail") }.message)
  },
  "a shared panel outlives its handle" => lambda {
    name = "/swg-ruby-#{Process.pid}"
    Switchgear::Panel.open(name, circuits: 8) do |panel|
      panel.circuit("payments", failure_threshold: 1).acquire.release(:failure)
    end
    Switchgear::Panel.open(name) { |panel| expect(:open, panel["payments"].snapshot.state) }
    Switchgear::Panel.open(name, circuits: 9) { |panel| expect(true, panel.differs?) }
    Switchgear::Panel.unlink(name)
    expect(Errno::ENOENT, raised { Switchgear::Panel.unlink(name) }.class)
  },
  "a forked child does not give back its parent's" => lambda {
    panel = Switchgear::Panel.open("/swg-ruby-#{Process.pid}")
    Switchgear::Panel.unlink(panel.name)
    circuit = panel.circuit("payments", inflight_max: 4)
    permit = circuit.acquire
    pid = fork do
      permit.release
      exit!(circuit.snapshot.inflight)
    end
    expect(1, Process.wait2(pid).last.exitstatus)
    permit.release
    expect(0, circuit.snapshot.inflight)
    panel.close
  },
  "threads share the circuit" => lambda {
    circuit, = guarded
    Array.new(4) { Thread.new { 500.times { circuit.call { Thread.pass } } } }.each(&:join)
    expect([0, { success: 2000 }], [circuit.snapshot.inflight, outcomes(circuit)])
  }
}.freeze

TESTS.each do |name, test|
  test.call
  puts "ok  #{name}"
rescue StandardError => e
  puts "BAD #{name}: #{e.full_message(highlight: false)}"
  exit(false)
end
