<?php
declare(strict_types=1);

/* What composer would do. Where the classes were preloaded there is nothing left to load. */
spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'Switchgear\\')) {
        require __DIR__ . '/../../bindings/php/src/' . substr($class, strlen('Switchgear\\')) . '.php';
    }
});
