# frozen_string_literal: true

module Switchgear
  MONOTONIC = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond) }

  # Circuits in POSIX shared memory ("/shop"), or of this process alone (nil). Open it before or
  # after forking; each process finds itself.
  class Panel
    include Enumerable

    ACCESS_GROUP = 2
    private_constant :ACCESS_GROUP

    attr_reader :name

    # Opens a panel; with a block, closes it afterwards. circuits, processes and journal are sizes
    # for whoever comes first (0: the library's). `clock` returns nanoseconds of CLOCK_MONOTONIC,
    # and is called once at each end of a call.
    def self.open(name = nil, **options)
      panel = new(name, **options)
      return panel unless block_given?

      begin
        yield panel
      ensure
        panel.close
      end
    end

    # Removes a shared panel's name; processes that have it open keep it.
    def self.unlink(name)
      result = Native.swg_panel_unlink(name)
      raise Errno::ENOENT, name if result == Native::ENOENT

      Native.check(result)
      nil
    end

    def initialize(name = nil, circuits: 0, processes: 0, journal: 0, group: false,
                   clock: MONOTONIC)
      @name = name
      @clock = clock
      sizes = [circuits, processes, journal, group ? ACCESS_GROUP : 0]
      config = sizes.any?(&:positive?) ? [Native::PanelConfig.size, *sizes].pack("L5") : nil
      result = nil
      @handle = Native.pointer { |room| result = Native.swg_panel_open(room, name, config) }
      @differs = Native.check(result) == Native::DIFFERS
    end

    # It already existed with other sizes, which stay.
    def differs?
      @differs
    end

    # Finds the circuit or makes it: panel.circuit("payments", failure_pct: 30, slow: "500ms").
    #
    # Options are the fields of swg_circuit_config; nil is off, numbers may be text with a unit
    # ("10s", "50%"). One that exists keeps its configuration: then differs? is true. `classify`
    # is the default for its calls.
    def circuit(name, profile: nil, classify: nil, **config)
      result = nil
      made = Native.config(profile, config)
      handle = Native.pointer { |room| result = Native.swg_circuit_open(room, live, name, made) }
      Circuit.new(self, handle, classify, differs: Native.check(result) == Native::DIFFERS)
    end

    # The circuit if there is one.
    def [](name)
      result = nil
      handle = Native.pointer { |room| result = Native.swg_circuit_find(room, live, name) }
      return nil if result == Native::ENOENT

      Native.check(result)
      Circuit.new(self, handle)
    end

    def each
      return enum_for unless block_given?

      handle = Native.swg_circuit_next(live, nil)
      until handle.null?
        yield Circuit.new(self, handle)
        handle = Native.swg_circuit_next(live, handle)
      end
    end

    # Gives back what dead processes held; the number of processes reaped.
    def reap(now_ns = now)
      Native.check(Native.swg_panel_reap(live, now_ns))
    end

    # Nanoseconds, by this panel's clock.
    def now
      @clock.call
    end

    def closed?
      @handle.nil?
    end

    # Closes the handle; a shared panel stays for the others. No thread may be using it.
    def close
      return if closed?

      handle = @handle
      @handle = nil
      Native.pointer do |room|
        room[0, Fiddle::SIZEOF_VOIDP] = [handle.to_i].pack("J")
        Native.swg_panel_close(room)
      end
      nil
    end

    private

    def live
      @handle or raise IOError, "the panel is closed"
    end
  end
end
