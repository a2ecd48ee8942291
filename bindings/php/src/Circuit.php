<?php
declare(strict_types=1);

namespace Switchgear;

use Closure;
use FFI;

/** One named dependency and what guards it. Made by Panel::circuit(). */
final class Circuit
{
    public readonly string $name;
    private readonly ?Closure $classify;

    /** @internal */
    public function __construct(
        public readonly Panel $panel,
        private readonly FFI\CData $handle,
        ?callable $classify = null,
        public readonly bool $differs = false,
    ) {
        $this->name = Native::ffi()->swg_circuit_name($handle);
        $this->classify = $classify === null ? null : Closure::fromCallable($classify);
    }

    /**
     * Makes the call if the circuit permits it: $function gets the Permit. If not, $fallback gets
     * the Rejected and answers; without one it is thrown. What $function throws is classified,
     * counted and thrown on. $classify(Throwable) returns an Outcome, or null for classify().
     */
    public function call(
        callable $function,
        ?callable $fallback = null,
        ?callable $classify = null,
        ?int $nowNs = null,
    ): mixed {
        $nowNs ??= $this->panel->now();
        $permit = $this->acquire($nowNs);
        if (!$permit->isPermitted()) {
            $no = new Rejected($this->name, $permit->verdict(), $permit->retryAfter($nowNs));
            return $fallback === null ? throw $no : $fallback($no);
        }
        $outcome = Outcome::Failure;
        try {
            $answer = $function($permit);
            $outcome = Outcome::Success;
            return $answer;
        } catch (\Throwable $error) {
            $outcome = $this->outcomeOf($error, $permit, $classify);
            throw $error;
        } finally {
            $permit->release($permit->outcome ?? $outcome);
        }
    }

    /** The answer as a value, for callers whose call does not end where it began. */
    public function acquire(?int $nowNs = null): Permit
    {
        return new Permit($this, $this->live(), $nowNs ?? $this->panel->now());
    }

    /** The outcome an exception stands for: libraries differ, but all call a timeout one. */
    public static function classify(\Throwable $error): Outcome
    {
        if ($error instanceof Rejected) {
            return Outcome::Ignored; // another circuit's no says nothing about this dependency
        }
        $kinds = [$error::class, ...class_parents($error), ...class_implements($error)];
        return stripos(implode(' ', $kinds), 'timeout') === false ? Outcome::Failure : Outcome::Timeout;
    }

    /** Reads the circuit and changes nothing. */
    public function snapshot(?int $nowNs = null): Snapshot
    {
        $ffi = Native::ffi();
        $native = $ffi->new('swg_snapshot');
        $nowNs ??= $this->panel->now();
        Native::check($ffi->swg_circuit_read($this->live(), $nowNs, FFI::addr($native)));
        return Snapshot::from($native);
    }

    /** Changes the live circuit for every process; state and window stay. */
    public function configure(?string $profile = null, int|string|null ...$config): void
    {
        $made = Config::make($profile, $config) ?? throw new \InvalidArgumentException('no option given');
        Native::check(Native::ffi()->swg_circuit_configure($this->live(), FFI::addr($made)));
    }

    /** Forces the circuit, for so many seconds or until it is lifted with Override::None. */
    public function override(
        Override $kind,
        ?float $seconds = null,
        string $reason = '',
        ?int $nowNs = null,
    ): void {
        $nowNs ??= $this->panel->now();
        $untilNs = $seconds === null ? PHP_INT_MAX : $nowNs + (int) ($seconds * 1e9);
        Native::check(
            Native::ffi()->swg_circuit_override($this->live(), $kind->value, $untilNs, $reason));
    }

    /** Closes the circuit and forgets window and wait. */
    public function reset(?int $nowNs = null): void
    {
        Native::ffi()->swg_circuit_reset($this->live(), $nowNs ?? $this->panel->now());
    }

    private function outcomeOf(\Throwable $error, Permit $permit, ?callable $classify): Outcome
    {
        $classify ??= $this->classify;
        $known = $permit->outcome ?? ($classify === null ? null : $classify($error));
        return $known ?? self::classify($error);
    }

    private function live(): FFI\CData
    {
        return $this->panel->isOpen() ? $this->handle : throw new \LogicException('the panel is closed');
    }
}
