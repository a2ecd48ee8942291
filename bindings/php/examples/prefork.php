<?php
/**
 * Four forked workers call a payment service that is down; all stop as soon as one has learned.
 *
 * Run it: php prefork.php
 */
declare(strict_types=1);

use Switchgear\Panel;
use Switchgear\Rejected;

spl_autoload_register(static function (string $class): void {
    require __DIR__ . '/../src/' . substr($class, strlen('Switchgear\\')) . '.php';
});

function chargeCard(): never
{
    throw new RuntimeException('payments is down');
}

/** Ten orders; returns how many of them reached the dead service. */
function work(string $name): int
{
    $panel = new Panel($name);
    $payments = $panel->circuit('payments', failure_threshold: 5, recovery: '30s');
    $reached = 0;
    for ($order = 0; $order < 10; $order++) {
        try {
            $payments->call(
                function () use (&$reached): void {
                    $reached++;
                    chargeCard();
                },
                fallback: fn (Rejected $no) => null, // charge it later
            );
        } catch (RuntimeException) {
        }
    }
    return $reached;
}

$name = '/prefork-php-' . getmypid();
$workers = [];
for ($i = 0; $i < 4; $i++) {
    $pid = pcntl_fork();
    if ($pid === 0) {
        exit(work($name));
    }
    $workers[] = $pid;
}
$reached = 0;
foreach ($workers as $pid) {
    pcntl_waitpid($pid, $status);
    $reached += pcntl_wexitstatus($status);
}
$payments = (new Panel($name))->find('payments')->snapshot();
Panel::unlink($name);
printf(
    "payments is %s: of 40 orders, %d reached it, %d were spared\n",
    strtolower($payments->state->name),
    $reached,
    $payments->rejected['Open'],
);
exit($reached < 40 ? 0 : 1);
