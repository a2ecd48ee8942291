<?php
declare(strict_types=1);

namespace Switchgear;

/** The library refused; the code is its enum swg_result. */
final class Error extends \RuntimeException
{
}
