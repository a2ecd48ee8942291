<?php
/**
 * For opcache.preload, where ffi.enable=preload (PHP's default) forbids FFI to anything else: loads
 * the library and the classes once, before the workers fork.
 */
declare(strict_types=1);

FFI::load(__DIR__ . '/switchgear.h');
foreach (glob(__DIR__ . '/src/*.php') as $file) {
    require_once $file;
}
