<?php
declare(strict_types=1);

namespace Switchgear;

/** What an operator asked for; kept apart from the state. */
enum Override: int
{
    case None = 0;
    case ForcedOpen = 1;
    case ForcedClosed = 2;
    case DryRun = 3;
}
