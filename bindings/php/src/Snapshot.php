<?php
declare(strict_types=1);

namespace Switchgear;

use FFI;

/** A circuit at one moment; times are nanoseconds of CLOCK_MONOTONIC, 0: never. */
final class Snapshot
{
    /**
     * @param array<string, int> $outcomes by the name of the Outcome, and so the others
     * @param array<string, int> $rejected by Verdict
     * @param array<string, int> $wouldReject by Verdict
     * @param array<string, int> $transitions by Cause
     * @param array<string, int> $stateNs by State
     * @param array<string, ?int> $config null: off
     */
    private function __construct(
        public readonly string $name,
        public readonly int $circuit,
        public readonly State $state,
        public readonly Override $override,
        public readonly int $rampPct,
        public readonly int $epoch,
        public readonly int $sinceNs,
        public readonly int $retryNs,
        public readonly int $overrideUntilNs,
        public readonly string $overrideReason,
        public readonly int $windowCalls,
        public readonly int $windowFailures,
        public readonly int $windowSlow,
        public readonly int $consecutiveFailures,
        public readonly int $probesOut,
        public readonly int $probesIn,
        public readonly int $inflight,
        public readonly array $outcomes,
        public readonly int $slow,
        public readonly int $stale,
        public readonly array $rejected,
        public readonly array $wouldReject,
        public readonly array $transitions,
        public readonly array $stateNs,
        public readonly int $lastOutcomeNs,
        public readonly int $configConflicts,
        public readonly int $inflightLimit,
        public readonly int $shedPct,
        public readonly array $config,
    ) {
    }

    /** @internal */
    public static function from(FFI\CData $n): self
    {
        return new self(
            FFI::string($n->name), $n->circuit, State::from($n->state), Override::from($n->override),
            $n->ramp_pct, $n->epoch, $n->since_ns, $n->retry_ns, $n->override_until_ns,
            FFI::string($n->override_reason), $n->window_calls, $n->window_failures, $n->window_slow,
            $n->consecutive_failures, $n->probes_out, $n->probes_in, $n->inflight,
            self::counts(Outcome::cases(), $n->outcomes), $n->slow, $n->stale,
            self::counts(Verdict::cases(), $n->rejected),
            self::counts(Verdict::cases(), $n->would_reject),
            self::counts(Cause::cases(), $n->transitions),
            self::counts(State::cases(), $n->state_ns), $n->last_outcome_ns, $n->config_conflicts,
            $n->inflight_limit, $n->shed_pct, self::settings($n->config),
        );
    }

    private static function counts(array $cases, FFI\CData $numbers): array
    {
        $numbers = Native::numbers($numbers);
        return array_combine(array_column(array_slice($cases, 0, count($numbers)), 'name'), $numbers);
    }

    private static function settings(FFI\CData $config): array
    {
        $settings = [];
        foreach (FFI::typeof($config)->getStructFieldNames() as $field) {
            $settings[$field] = $config->$field === Native::NONE ? null : $config->$field;
        }
        unset($settings['size']);
        return $settings;
    }
}
