<?php
/* A worker in PHP: reads one command a line, answers with one line. See mixed_test.py. */
declare(strict_types=1);

use Switchgear\{Outcome, Panel, State};

require __DIR__ . '/autoload.php';

while (($line = fgets(STDIN)) !== false) {
    [$verb, $word, $number] = explode(' ', trim($line)) + [2 => '0'];
    switch ($verb) {
        case 'open':
            $panel = new Panel($word);
            $circuit = $panel->circuit('payments', failure_threshold: 5, recovery: '5s',
                recovery_jitter_pct: null, probes: 3, inflight_max: 8);
            echo $circuit->differs ? 'differs' : 'same', "\n";
            break;
        case 'acquire':
            $permit = $circuit->acquire((int) $word);
            $waitMs = (int) round($permit->retryAfter((int) $word) * 1000);
            echo strtolower($permit->verdict()->name), " $waitMs\n";
            break;
        case 'release':
            $permit->release(constant(Outcome::class . '::' . ucfirst($word)), (int) $number);
            echo "ok\n";
            break;
        case 'read':
            $s = $circuit->snapshot((int) $word);
            $state = $s->state === State::HalfOpen ? 'half_open' : strtolower($s->state->name);
            echo "$state {$s->inflight} {$s->probesOut}\n";
            break;
        default:
            echo $panel->reap((int) $word), "\n";
    }
}
