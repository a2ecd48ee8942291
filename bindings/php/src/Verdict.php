<?php
declare(strict_types=1);

namespace Switchgear;

/** May this call go? Permitted is the only yes. */
enum Verdict: int
{
    case Permitted = 0;
    case Open = 1;
    case Probing = 2;
    case Ramp = 3;
    case Rate = 4;
    case Bulkhead = 5;
    case Forced = 6;
    case Shed = 7;
}
