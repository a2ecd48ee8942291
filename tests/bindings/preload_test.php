<?php
/* Run with the package preloaded: its library and classes are there, and nothing else is loaded. */
declare(strict_types=1);

use Switchgear\Panel;

FFI::scope('switchgear');
$circuit = (new Panel())->circuit('payments', failure_threshold: 3);
echo $circuit->call(fn (): string => 'preloaded'), "\n";
