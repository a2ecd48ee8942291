<?php
declare(strict_types=1);

namespace Switchgear;

use Closure;
use FFI;

/**
 * Circuits in POSIX shared memory ("/shop"), or of this process alone (null). Open it before or
 * after forking; each process finds itself.
 */
final class Panel implements \IteratorAggregate
{
    private const ACCESS_GROUP = 2;

    public readonly bool $differs;
    private ?FFI\CData $handle;
    private readonly Closure $clock;
    private static ?\WeakMap $open = null;

    /**
     * $circuits, $processes and $journal are sizes for whoever comes first (0: the library's).
     * $clock returns nanoseconds of CLOCK_MONOTONIC; it is called once at each end of a call.
     */
    public function __construct(
        public readonly ?string $name = null,
        int $circuits = 0,
        int $processes = 0,
        int $journal = 0,
        bool $group = false,
        ?Closure $clock = null,
    ) {
        $ffi = Native::ffi();
        $this->clock = $clock ?? static fn (): int => $ffi->swg_clock_ns();
        $config = $ffi->new('swg_panel_config');
        $config->size = FFI::sizeof($config);
        $config->circuits = $circuits;
        $config->processes = $processes;
        $config->journal = $journal;
        $config->access = $group ? self::ACCESS_GROUP : 0;
        $asked = $circuits || $processes || $journal || $group;
        $handle = $ffi->new('swg_panel *');
        $result = $ffi->swg_panel_open(FFI::addr($handle), $name, $asked ? FFI::addr($config) : null);
        $this->differs = Native::check($result) === Native::DIFFERS;
        $this->handle = $handle;
        self::closeIfFatal($this);
    }

    /**
     * Finds the circuit or makes it: $panel->circuit('payments', failure_pct: 30, slow: '500ms').
     *
     * Options are the fields of swg_circuit_config; null is off, numbers may be text with a unit
     * ("10s", "50%"). One that exists keeps its configuration: then $circuit->differs is true.
     * $classify is the default for its calls.
     */
    public function circuit(
        string $name,
        ?string $profile = null,
        ?callable $classify = null,
        int|string|null ...$config,
    ): Circuit {
        $ffi = Native::ffi();
        $circuit = $ffi->new('swg_circuit *');
        $made = Config::make($profile, $config);
        $asked = $made === null ? null : FFI::addr($made); // lives as long as $made
        $result = Native::check(
            $ffi->swg_circuit_open(FFI::addr($circuit), $this->handle(), $name, $asked));
        return new Circuit($this, $circuit, $classify, $result === Native::DIFFERS);
    }

    /** The circuit if there is one. */
    public function find(string $name): ?Circuit
    {
        $ffi = Native::ffi();
        $circuit = $ffi->new('swg_circuit *');
        $result = $ffi->swg_circuit_find(FFI::addr($circuit), $this->handle(), $name);
        if ($result === Native::ENOENT) {
            return null;
        }
        Native::check($result);
        return new Circuit($this, $circuit);
    }

    /** @return \Generator<string, Circuit> */
    public function getIterator(): \Generator
    {
        $ffi = Native::ffi();
        $at = $ffi->swg_circuit_next($this->handle(), null);
        while ($at !== null && !FFI::isNull($at)) {
            $circuit = new Circuit($this, $at);
            yield $circuit->name => $circuit;
            $at = $ffi->swg_circuit_next($this->handle(), $at);
        }
    }

    /** Gives back what dead processes held; the number of processes reaped. */
    public function reap(?int $nowNs = null): int
    {
        return Native::check(Native::ffi()->swg_panel_reap($this->handle(), $nowNs ?? $this->now()));
    }

    /** Nanoseconds, by this panel's clock. */
    public function now(): int
    {
        return ($this->clock)();
    }

    public function isOpen(): bool
    {
        return $this->handle !== null;
    }

    /** Closes the handle; a shared panel stays for the others. */
    public function close(): void
    {
        if ($this->handle !== null) {
            Native::ffi()->swg_panel_close(FFI::addr($this->handle));
            $this->handle = null;
        }
    }

    /** Removes a shared panel's name; false if there was none. */
    public static function unlink(string $name): bool
    {
        $result = Native::ffi()->swg_panel_unlink($name);
        return $result !== Native::ENOENT && Native::check($result) === 0;
    }

    public function __destruct()
    {
        if (isset($this->handle)) {
            $this->close();
        }
    }

    private function handle(): FFI\CData
    {
        return $this->handle ?? throw new \LogicException('the panel is closed');
    }

    /** A fatal error runs no destructor, and the worker lives on: give back what it held. */
    private static function closeIfFatal(self $panel): void
    {
        if (self::$open === null) {
            self::$open = new \WeakMap();
            register_shutdown_function(static function (): void {
                $fatal = E_ERROR | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR;
                if (((error_get_last()['type'] ?? 0) & $fatal) !== 0) {
                    foreach (self::$open as $panel => $_) {
                        $panel->close();
                    }
                }
            });
        }
        self::$open[$panel] = true;
    }
}
