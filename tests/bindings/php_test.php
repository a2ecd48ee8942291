<?php
/* The PHP package against the library. Times are given, so nothing waits. */
declare(strict_types=1);

use Switchgear\{Circuit, Outcome, Override, Panel, Permit, Rejected, State, Verdict};

require __DIR__ . '/autoload.php';

const SECOND = 1_000_000_000;
const START = 1000 * SECOND;

final class ReadTimeoutException extends RuntimeException
{
}

final class Clock
{
    public int $now = START;
}

function expect(mixed $expected, mixed $actual): void
{
    if ($expected !== $actual) {
        throw new LogicException('expected ' . var_export($expected, true) . ', got ' . var_export($actual, true));
    }
}

function thrown(callable $function): Throwable
{
    try {
        $function();
    } catch (Throwable $error) {
        return $error;
    }
    throw new LogicException('nothing was thrown');
}

/** @return array{Panel, Circuit, Clock} */
function guarded(int|string|null ...$config): array
{
    $clock = new Clock();
    $panel = new Panel(clock: fn (): int => $clock->now);
    $config += ['failure_threshold' => 2, 'recovery_jitter_pct' => null, 'inflight_max' => 4];
    return [$panel, $panel->circuit('payments', ...$config), $clock];
}

function outcomes(Circuit $circuit): array
{
    return array_filter($circuit->snapshot()->outcomes);
}

$tests = [
    'a call that succeeds' => function (): void {
        [, $circuit] = guarded();
        expect(42, $circuit->call(function (Permit $permit) use ($circuit): int {
            expect(1, $circuit->snapshot()->inflight);
            return 42;
        }));
        expect(0, $circuit->snapshot()->inflight);
        expect(['Success' => 1], outcomes($circuit));
    },
    'exceptions are classified' => function (): void {
        [, $circuit] = guarded(failure_threshold: null);
        $errors = [
            new RuntimeException(), new TypeError(), new ReadTimeoutException(),
            new Rejected('other', Verdict::Open, 1.0),
        ];
        foreach ($errors as $error) {
            expect($error, thrown(fn () => $circuit->call(fn () => throw $error)));
        }
        expect(['Failure' => 2, 'Timeout' => 1, 'Ignored' => 1], outcomes($circuit));
        expect(0, $circuit->snapshot()->inflight);
    },
    "the caller's classification comes first" => function (): void {
        [$panel] = guarded();
        $hook = fn (Throwable $e): ?Outcome => $e instanceof DomainException ? Outcome::Ignored : null;
        $circuit = $panel->circuit('mail', classify: $hook);
        thrown(fn () => $circuit->call(fn () => throw new DomainException()));
        thrown(fn () => $circuit->call(fn () => throw new ReadTimeoutException()));
        $cancel = fn (Throwable $e): Outcome => Outcome::Cancelled;
        thrown(fn () => $circuit->call(fn () => throw new DomainException(), classify: $cancel));
        expect(['Timeout' => 1, 'Ignored' => 1, 'Cancelled' => 1], outcomes($circuit));
    },
    'a classification that fails still gives back' => function (): void {
        [, $circuit] = guarded();
        $hook = fn (Throwable $e) => intdiv(1, 0);
        $error = thrown(fn () => $circuit->call(fn () => throw new RuntimeException(), classify: $hook));
        expect(DivisionByZeroError::class, $error::class);
        expect(0, $circuit->snapshot()->inflight);
        expect(['Failure' => 1], outcomes($circuit));
    },
    'an outcome without an exception' => function (): void {
        [, $circuit] = guarded();
        $circuit->call(function (Permit $permit): void {
            $permit->outcome = Outcome::Failure;
        });
        expect(['Failure' => 1], outcomes($circuit));
    },
    'rejected: thrown, or the fallback answers' => function (): void {
        [, $circuit, $clock] = guarded(recovery: '5s');
        for ($i = 0; $i < 2; $i++) {
            thrown(fn () => $circuit->call(fn () => throw new RuntimeException()));
        }
        $clock->now += SECOND;
        $no = thrown(fn () => $circuit->call(fn () => throw new LogicException('was called')));
        expect([Rejected::class, Verdict::Open, 4.0], [$no::class, $no->verdict, $no->retryAfter]);
        expect('payments: rejected (open), retry after 4.000 s', $no->getMessage());
        expect('later', $circuit->call(fn () => 'now', fallback: fn (Rejected $no) => 'later'));
    },
    'a permit that is dropped is cancelled, one released is released once' => function (): void {
        [, $circuit] = guarded();
        $permit = $circuit->acquire();
        expect(1, $circuit->snapshot()->inflight);
        unset($permit);
        expect(0, $circuit->snapshot()->inflight);
        $permit = $circuit->acquire();
        $permit->release(Outcome::Success);
        $permit->release(Outcome::Failure);
        unset($permit);
        expect(['Success' => 1, 'Cancelled' => 1], outcomes($circuit));
    },
    'times may be given' => function (): void {
        [, $circuit] = guarded(recovery: '5s');
        for ($i = 0; $i < 2; $i++) {
            $circuit->acquire(START)->release(Outcome::Failure, START);
        }
        expect(State::Open, $circuit->snapshot(START + 4 * SECOND)->state);
        expect(State::HalfOpen, $circuit->snapshot(START + 5 * SECOND)->state);
        expect(true, $circuit->acquire(START + 5 * SECOND)->isPermitted());
    },
    'configurations' => function (): void {
        [$panel, $circuit] = guarded(slow: '500ms', slow_pct: '80%');
        $config = $circuit->snapshot()->config;
        expect([500, 80, null], [$config['slow_ms'], $config['slow_pct'], $config['rate_per_s']]);
        $config = $panel->circuit('classic', profile: 'classic', recovery: '4s')->snapshot()->config;
        expect([5, 1, 4000], [$config['failure_threshold'], $config['probes'], $config['recovery_ms']]);
        $other = $panel->circuit('classic', probes: 7);
        expect([true, 1], [$other->differs, $other->snapshot()->configConflicts]);
        $circuit->configure(failure_threshold: 9);
        expect(9, $circuit->snapshot()->config['failure_threshold']);
    },
    'mistakes in configurations' => function (): void {
        [$panel] = guarded();
        $mistakes = [
            'no such circuit option: bogus' => ['bogus' => 1],
            'failure_pct: 101 is out of range, or not a value it takes' => ['failure_pct' => 101],
            'window_calls excludes window_ms: the window counts time or calls' => [
                'window' => '1s', 'window_calls' => 5],
        ];
        foreach ($mistakes as $text => $config) {
            $error = thrown(fn () => $panel->circuit('mail', ...$config));
            expect([InvalidArgumentException::class, $text], [$error::class, $error->getMessage()]);
        }
        expect(InvalidArgumentException::class, thrown(fn () => new Panel('no/such/name'))::class);
    },
    'overrides and reset' => function (): void {
        [, $circuit, $clock] = guarded();
        $circuit->override(Override::ForcedOpen, seconds: 2, reason: 'deploy');
        expect(Verdict::Forced, $circuit->acquire()->verdict());
        expect('deploy', $circuit->snapshot()->overrideReason);
        $clock->now += 2 * SECOND;
        expect(Verdict::Permitted, $circuit->acquire()->verdict());
        thrown(fn () => $circuit->call(fn () => throw new RuntimeException()));
        thrown(fn () => $circuit->call(fn () => throw new RuntimeException()));
        expect(State::Open, $circuit->snapshot()->state);
        $circuit->reset();
        expect(State::Closed, $circuit->snapshot()->state);
    },
    'looking circuits up, and a closed panel' => function (): void {
        [$panel, $circuit] = guarded();
        $panel->circuit('mail');
        expect(['payments', 'mail'], array_keys(iterator_to_array($panel)));
        expect(['mail', null], [$panel->find('mail')->name, $panel->find('no')]);
        $permit = $circuit->acquire();
        $panel->close();
        $permit->release();
        expect('the panel is closed', thrown(fn () => $circuit->acquire())->getMessage());
        expect('the panel is closed', thrown(fn () => $panel->circuit('mail'))->getMessage());
    },
    'a shared panel outlives its handle' => function (): void {
        $name = '/swg-php-' . getmypid();
        $panel = new Panel($name, circuits: 8);
        $panel->circuit('payments', failure_threshold: 1)->acquire()->release(Outcome::Failure);
        $panel->close();
        $again = new Panel($name);
        expect(State::Open, $again->find('payments')->snapshot()->state);
        expect(true, (new Panel($name, circuits: 9))->differs);
        expect([true, false], [Panel::unlink($name), Panel::unlink($name)]);
    },
    "a forked child does not give back its parent's" => function (): void {
        $panel = new Panel('/swg-php-' . getmypid());
        Panel::unlink($panel->name);
        $circuit = $panel->circuit('payments', inflight_max: 4);
        $permit = $circuit->acquire();
        $pid = pcntl_fork();
        if ($pid === 0) {
            $permit->release();
            unset($permit);
            exit($circuit->snapshot()->inflight);
        }
        pcntl_waitpid($pid, $status);
        expect(1, pcntl_wexitstatus($status));
        $permit->release();
        expect(0, $circuit->snapshot()->inflight);
    },
    'a fatal error gives back what the request held' => function (): void {
        $command = [PHP_BINARY, '-d', 'display_errors=0', '-d', 'log_errors=0', __DIR__ . '/php_fatal.php'];
        $process = proc_open($command, [1 => ['pipe', 'w']], $pipes);
        expect("fatal, inflight 0\n", stream_get_contents($pipes[1]));
        expect(255, proc_close($process));
    },
];

foreach ($tests as $name => $test) {
    try {
        $test();
        echo "ok  $name\n";
    } catch (Throwable $error) {
        echo "BAD $name: $error\n";
        exit(1);
    }
}
