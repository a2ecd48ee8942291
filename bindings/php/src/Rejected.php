<?php
declare(strict_types=1);

namespace Switchgear;

/** The circuit did not permit the call, which was not made. */
final class Rejected extends \RuntimeException
{
    /** @param float $retryAfter seconds: trying sooner is of no use */
    public function __construct(
        public readonly string $circuit,
        public readonly Verdict $verdict,
        public readonly float $retryAfter,
    ) {
        $reason = strtolower($verdict->name);
        parent::__construct(sprintf('%s: rejected (%s), retry after %.3f s', $circuit, $reason, $retryAfter));
    }
}
