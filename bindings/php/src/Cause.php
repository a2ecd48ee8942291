<?php
declare(strict_types=1);

namespace Switchgear;

/** Why a circuit changed its state. */
enum Cause: int
{
    case None = 0;
    case FailureRate = 1;
    case SlowRate = 2;
    case Consecutive = 3;
    case Stall = 4;
    case WaitOver = 5;
    case ProbesPassed = 6;
    case ProbesFailed = 7;
    case ProbesSlow = 8;
    case Reset = 9;
    case Override = 10;
    case Fleet = 11;
    case Votes = 12;
    case Claim = 13;
    case ProbesLost = 14;
    case OverrideEnded = 15;
}
