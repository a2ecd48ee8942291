<?php
declare(strict_types=1);

namespace Switchgear;

/** How did it go? Ignored says nothing about the dependency; Cancelled never came to an end;
 * FailureLocal never left this host (no name, no route, no descriptors). */
enum Outcome: int
{
    case Success = 0;
    case Failure = 1;
    case Timeout = 2;
    case Ignored = 3;
    case Cancelled = 4;
    case FailureLocal = 5;
}
