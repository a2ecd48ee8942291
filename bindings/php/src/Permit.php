<?php
declare(strict_types=1);

namespace Switchgear;

use FFI;

/** The answer to one acquire. Cancelled if it is forgotten. */
final class Permit
{
    /** Set inside call() to say how it went without throwing. */
    public ?Outcome $outcome = null;

    private readonly FFI\CData $native;
    private readonly int $pid;

    /** @internal */
    public function __construct(
        private readonly Circuit $circuit,
        private readonly FFI\CData $handle,
        int $nowNs,
    ) {
        $ffi = Native::ffi();
        $this->native = $ffi->new('swg_permit');
        $this->pid = getmypid();
        $ffi->swg_acquire($handle, FFI::addr($this->native), $nowNs);
    }

    public function isPermitted(): bool
    {
        return $this->native->verdict === 0;
    }

    public function verdict(): Verdict
    {
        return Verdict::from($this->native->verdict);
    }

    /** Seconds before which trying again is of no use; 0 if permitted. */
    public function retryAfter(?int $nowNs = null): float
    {
        $nowNs ??= $this->circuit->panel->now();
        return $this->isPermitted() ? 0.0 : max(0, $this->native->retry_ns - $nowNs) / 1e9;
    }

    /**
     * Gives back what is held and counts the outcome; the second time nothing happens. In a forked
     * child neither: its copy is the parent's to give back.
     */
    public function release(Outcome $outcome = Outcome::Success, ?int $nowNs = null): void
    {
        $panel = $this->circuit->panel;
        if ($this->native->held !== 0 && $panel->isOpen() && $this->pid === getmypid()) {
            $permit = FFI::addr($this->native);
            Native::ffi()->swg_release($this->handle, $permit, $outcome->value, $nowNs ?? $panel->now());
        }
    }

    public function __destruct()
    {
        if (isset($this->native)) {
            $this->release(Outcome::Cancelled);
        }
    }
}
