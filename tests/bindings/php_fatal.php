<?php
/* Dies of a fatal error inside a call; what is held is looked at while the process still lives. */
declare(strict_types=1);

use Switchgear\Panel;

require __DIR__ . '/autoload.php';

$name = '/swg-php-fatal-' . getmypid();
$panel = new Panel($name);
$circuit = $panel->circuit('payments', inflight_max: 4);
register_shutdown_function(static function () use ($name): void {
    $inflight = (new Panel($name))->find('payments')->snapshot()->inflight;
    Panel::unlink($name);
    echo "fatal, inflight $inflight\n";
});
ini_set('memory_limit', '8M');
$circuit->call(function () use ($circuit): void {
    if ($circuit->snapshot()->inflight === 1) {
        str_repeat('x', 1 << 26);
    }
});
