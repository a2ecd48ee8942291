# frozen_string_literal: true

require "fiddle"
require "fiddle/import"

module Switchgear
  # The library refused; `code` is its enum swg_result.
  class Error < StandardError
    attr_reader :code

    def initialize(text, code = nil)
      super(text)
      @code = code
    end
  end

  # The C library through Fiddle: the structs it fills, its functions, and whether they fit.
  module Native
    extend Fiddle::Importer

    NONE = 0xFFFFFFFF
    DIFFERS = 1
    EINVAL = -1
    ESYS = -3
    ENOENT = -9
    EACCESS = -10

    CONFIG_FIELDS = %i[
      window_ms window_calls calls_min failure_pct slow_pct slow_ms failure_threshold recovery_ms
      recovery_ms_max recovery_jitter_pct probes probe_ms ramp_ms stall_ms inflight_max rate_per_s
      rate_burst inflight_ms inflight_min shed_factor_pct
    ].freeze

    begin
      dlload ENV.fetch("SWITCHGEAR_LIBRARY", "libswitchgear.so.0")
    rescue Fiddle::DLError => e
      raise LoadError, "#{e.message}; install the C library or set SWITCHGEAR_LIBRARY to its path"
    end

    PanelConfig = struct(%w[size circuits processes journal access].map { |n| "uint32_t #{n}" })
    CircuitConfig = struct([:size, *CONFIG_FIELDS].map { |n| "uint32_t #{n}" })
    # A permit is made for every call, so it is plain bytes, which Fiddle makes 25 times quicker.
    PERMIT_BYTES = 32
    RETRY_NS_AT = 8
    VERDICT_AT = 31
    Snapshot = struct([
                        "char name[64]", "uint32_t circuit", "uint32_t state",
                        "uint32_t override", "uint32_t ramp_pct", "uint64_t epoch",
                        "int64_t since_ns", "int64_t retry_ns", "int64_t override_until_ns",
                        "char override_reason[64]", "uint64_t window_calls",
                        "uint64_t window_failures", "uint64_t window_slow",
                        "uint32_t consecutive_failures", "uint32_t probes_out",
                        "uint32_t probes_in", "uint32_t inflight", "uint64_t outcomes[6]",
                        "uint64_t slow", "uint64_t stale", "uint64_t rejected[8]",
                        "uint64_t would_reject[8]", "uint64_t transitions[12]",
                        "int64_t state_ns[3]", "int64_t last_outcome_ns",
                        "uint64_t config_conflicts", "uint32_t config[21]",
                        "uint32_t config_room[43]", "uint32_t inflight_limit",
                        "uint32_t shed_pct", "uint64_t retries", "uint64_t retries_recovered",
                        "uint64_t retries_denied[7]",
                        "uint32_t gate", "uint32_t gate_permits", "int64_t gate_until_ns",
                        "uint64_t reserved[10]"
                      ])

    extern "int swg_panel_open(void **, char *, void *)"
    extern "void swg_panel_close(void **)"
    extern "int swg_panel_unlink(char *)"
    extern "int swg_panel_reap(void *, int64_t)"
    extern "int swg_circuit_open(void **, void *, char *, void *)"
    extern "int swg_circuit_find(void **, void *, char *)"
    extern "int swg_circuit_configure(void *, void *)"
    extern "int swg_circuit_override(void *, int, int64_t, char *)"
    extern "void swg_circuit_reset(void *, int64_t)"
    extern "void *swg_circuit_next(void *, void *)"
    extern "char *swg_circuit_name(void *)"
    extern "int swg_circuit_read(void *, int64_t, void *)"
    extern "int swg_config_check(void *, void **, void **)"
    extern "int swg_config_set(void *, char *, char *)"
    extern "char *swg_error_text(int)"
    extern "uint32_t swg_version(void)"

    # The hot pair runs for nanoseconds: keeping the interpreter's lock is cheaper than handing it
    # over.
    def self.hot(name, arguments, result)
      Fiddle::Function.new(handler.sym(name), arguments, result, need_gvl: true)
    end

    P = Fiddle::TYPE_VOIDP
    N = Fiddle::TYPE_LONG_LONG
    ACQUIRE = hot("swg_acquire", [P, P, N], Fiddle::TYPE_INT)
    RELEASE = hot("swg_release", [P, P, Fiddle::TYPE_INT, N], Fiddle::TYPE_VOID)

    size = import_symbol("swg_profile_http")[0, 4].unpack1("L")
    if swg_version >> 16 != 0 || size != CircuitConfig.size
      raise LoadError, "this package does not fit the installed libswitchgear: install its own"
    end

    # The result if it is not an error, else the exception that fits.
    def self.check(result)
      return result if result >= 0

      text = swg_error_text(result).to_s
      case result
      when ESYS then raise SystemCallError.new("switchgear", Fiddle.last_error)
      when EINVAL then raise ArgumentError, text
      when EACCESS then raise Errno::EACCES, text
      else raise Error.new(text, result)
      end
    end

    # Runs the block with room for a pointer; the pointer it left there.
    def self.pointer
      room = Fiddle::Pointer.malloc(Fiddle::SIZEOF_VOIDP, Fiddle::RUBY_FREE)
      room[0, Fiddle::SIZEOF_VOIDP] = "\0" * Fiddle::SIZEOF_VOIDP
      yield room
      room.ptr
    end

    # Configurations from keywords. The library lays out its own struct: it gets a zeroed buffer
    # larger than it will need, whose tail it ignores as long as it is zero. Nil: all defaults.
    def self.config(profile, fields)
      return nil if profile.nil? && fields.empty?

      config = start(profile)
      fields.each { |key, value| set(config, key, value) }
      field = reason = nil
      result = nil
      field = pointer { |f| reason = pointer { |r| result = swg_config_check(config, f, r) } }
      raise ArgumentError, "#{field} #{reason}" if result.negative?

      config
    end

    ROOM = 1024
    PROFILES = %w[http database classic].freeze
    private_constant :ROOM, :PROFILES

    def self.start(profile)
      config = Fiddle::Pointer.malloc(ROOM, Fiddle::RUBY_FREE)
      config[0, ROOM] = "\0" * ROOM
      if profile
        unless PROFILES.include?(profile.to_s)
          raise ArgumentError, "no profile #{profile}: #{PROFILES.join(', ')}"
        end
        from = import_symbol("swg_profile_#{profile}")
        size = from[0, 4].unpack1("L")
        config[0, size] = from[0, size]
      end
      config[0, 4] = [ROOM].pack("L")
      config
    end

    def self.set(config, key, value)
      result = swg_config_set(config, key.to_s, value.nil? ? "none" : value.to_s)
      raise ArgumentError, "no such circuit option: #{key}" if result == ENOENT
      return unless result.negative?

      raise ArgumentError, "#{key}: #{value.inspect} is out of range, or not a value it takes"
    end
    private_class_method :start, :set, :hot
  end
end
