<?php
declare(strict_types=1);

namespace Switchgear;

enum State: int
{
    case Closed = 0;
    case Open = 1;
    case HalfOpen = 2;
}
