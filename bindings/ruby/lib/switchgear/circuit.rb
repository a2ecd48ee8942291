# frozen_string_literal: true

module Switchgear
  VERDICTS = %i[permitted open probing ramp rate bulkhead forced shed].freeze
  OUTCOMES = %i[success failure timeout ignored cancelled failure_local].freeze
  STATES = %i[closed open half_open].freeze
  OVERRIDES = %i[none forced_open forced_closed dry_run].freeze
  CAUSES = %i[none failure_rate slow_rate consecutive stall wait_over probes_passed probes_failed
              probes_slow reset override fleet votes claim probes_lost
              override_ended].freeze

  # The circuit did not permit the call, which was not made. `retry_after` is seconds: trying
  # sooner is of no use.
  class Rejected < StandardError
    attr_reader :circuit, :verdict, :retry_after

    def initialize(circuit, verdict, retry_after)
      super(format("%s: rejected (%s), retry after %.3f s", circuit, verdict, retry_after))
      @circuit = circuit
      @verdict = verdict
      @retry_after = retry_after
    end
  end

  # A circuit at one moment; times are nanoseconds of CLOCK_MONOTONIC, 0: never.
  Snapshot = Struct.new(
    :name, :circuit, :state, :override, :ramp_pct, :epoch, :since_ns, :retry_ns,
    :override_until_ns, :override_reason, :window_calls, :window_failures, :window_slow,
    :consecutive_failures, :probes_out, :probes_in, :inflight, :outcomes, :slow, :stale,
    :rejected, :would_reject, :transitions, :state_ns, :last_outcome_ns, :config_conflicts,
    :inflight_limit, :shed_pct,
    :config, keyword_init: true
  )

  # The outcome an exception stands for: libraries differ, but all call a timeout one.
  def self.classify(error)
    return :ignored if error.is_a?(Rejected) # another circuit's no says nothing about this one
    return :timeout if error.is_a?(Errno::ETIMEDOUT)
    return :timeout if error.class.ancestors.any? { |kind| kind.name.to_s.include?("Timeout") }

    error.is_a?(StandardError) ? :failure : :cancelled
  end

  # The answer to one acquire.
  class Permit
    # Set inside call to say how it went without raising.
    attr_accessor :outcome

    def initialize(circuit, handle, now_ns)
      @circuit = circuit
      @handle = handle
      @native = Fiddle::Pointer.malloc(Native::PERMIT_BYTES, Fiddle::RUBY_FREE)
      @pid = Process.pid
      Native::ACQUIRE.call(handle, @native, now_ns)
    end

    def permitted?
      @native[Native::VERDICT_AT].zero?
    end

    def verdict
      VERDICTS[@native[Native::VERDICT_AT]]
    end

    # Seconds before which trying again is of no use; 0 if permitted.
    def retry_after(now_ns = @circuit.panel.now)
      return 0.0 if permitted?

      [0, @native[Native::RETRY_NS_AT, 8].unpack1("q") - now_ns].max / 1e9
    end

    # Gives back what is held and counts the outcome; the second time nothing happens. In a forked
    # child neither: its copy is the parent's to give back.
    def release(outcome = :success, now_ns = @circuit.panel.now)
      number = OUTCOMES.index(outcome) or raise ArgumentError, "no such outcome: #{outcome}"
      return if @circuit.panel.closed? || @pid != Process.pid

      Native::RELEASE.call(@handle, @native, number, now_ns)
    end
  end

  # One named dependency and what guards it. Made by Panel#circuit.
  class Circuit
    attr_reader :panel, :name

    def initialize(panel, handle, classify = nil, differs: false)
      @panel = panel
      @handle = handle
      @classify = classify
      @differs = differs
      @name = Native.swg_circuit_name(handle).to_s
    end

    # It already existed with another configuration, which stays.
    def differs?
      @differs
    end

    # Runs the block if the circuit permits it, else raises Rejected, or answers with
    # fallback.(rejected). What the block raises is classified, counted and raised on.
    # classify.(error) returns an outcome, or nil for Switchgear.classify. A block that is left by
    # break, return or throw counts as cancelled: use next.
    def call(fallback: nil, classify: @classify, now_ns: panel.now)
      permit = acquire(now_ns)
      return reject(permit, fallback, now_ns) unless permit.permitted?

      outcome = :cancelled
      begin
        answer = yield permit
        outcome = :success
        answer
      rescue Exception => e # rubocop:disable Lint/RescueException
        outcome = :failure
        outcome = classify&.call(e) || Switchgear.classify(e) unless permit.outcome
        raise
      ensure
        permit.release(permit.outcome || outcome)
      end
    end

    # The answer as a value, for callers whose call does not end where it began. Release it.
    def acquire(now_ns = panel.now)
      Permit.new(self, live, now_ns)
    end

    # Reads the circuit and changes nothing.
    def snapshot(now_ns = panel.now)
      native = Native::Snapshot.malloc(Fiddle::RUBY_FREE)
      Native.check(Native.swg_circuit_read(live, now_ns, native))
      Snapshot.new(**Switchgear.readable(native))
    end

    # Changes the live circuit for every process; state and window stay.
    def configure(profile: nil, **config)
      Native.check(Native.swg_circuit_configure(live, Native.config(profile, config)))
    end

    # Forces the circuit (:forced_open, :forced_closed, :dry_run), for so many seconds or until it
    # is lifted with :none.
    def override(kind, seconds: nil, reason: "", now_ns: panel.now)
      number = OVERRIDES.index(kind) or raise ArgumentError, "no such override: #{kind}"
      until_ns = seconds ? now_ns + (seconds * 1_000_000_000).to_i : 2**63 - 1
      Native.check(Native.swg_circuit_override(live, number, until_ns, reason))
    end

    # Closes the circuit and forgets window and wait.
    def reset(now_ns = panel.now)
      Native.swg_circuit_reset(live, now_ns)
    end

    private

    def live
      raise IOError, "the panel is closed" if panel.closed?

      @handle
    end

    def reject(permit, fallback, now_ns)
      rejected = Rejected.new(name, permit.verdict, permit.retry_after(now_ns))
      raise rejected unless fallback

      fallback.call(rejected)
    end
  end

  COUNTED = { outcomes: OUTCOMES, rejected: VERDICTS, would_reject: VERDICTS, transitions: CAUSES,
              state_ns: STATES }.freeze
  private_constant :COUNTED

  def self.readable(native)
    fields = Snapshot.members.to_h { |field| [field, native[field.to_s]] }
    %i[name override_reason].each { |f| fields[f] = fields[f].pack("c*").unpack1("Z*") }
    COUNTED.each { |field, words| fields[field] = fields[field].to_a.zip(words).to_h(&:reverse) }
    fields[:state] = STATES[native.state]
    fields[:override] = OVERRIDES[native.override]
    values = native.config.to_a.drop(1).map { |value| value == Native::NONE ? nil : value }
    fields[:config] = Native::CONFIG_FIELDS.zip(values).to_h
    fields
  end
end
