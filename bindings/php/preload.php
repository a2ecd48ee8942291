<?php
/**
 * For opcache.preload, with ffi.preload=switchgear.h beside it: where ffi.enable=preload (PHP's
 * default) closes FFI to all other code, the classes that use it must have been preloaded.
 */
declare(strict_types=1);

foreach (glob(__DIR__ . '/src/*.php') as $file) {
    require_once $file;
}
