<?php
declare(strict_types=1);

namespace Switchgear;

use FFI;

/** @internal The C library through FFI: preloaded where preload.php ran, else loaded here. */
final class Native
{
    public const NONE = 0xFFFFFFFF;
    public const DIFFERS = 1;
    public const EINVAL = -1;
    public const ESYS = -3;
    public const ENOENT = -9;

    private static ?FFI $ffi = null;

    public static function ffi(): FFI
    {
        return self::$ffi ??= self::checked(self::load());
    }

    private static function load(): FFI
    {
        try {
            return FFI::scope('switchgear');
        } catch (FFI\Exception) {
            return self::define(getenv('SWITCHGEAR_LIBRARY') ?: 'libswitchgear.so.0');
        }
    }

    private static function define(string $library): FFI
    {
        $header = preg_replace('/^#.*$/m', '', file_get_contents(__DIR__ . '/../switchgear.h'));
        try {
            return FFI::cdef($header, $library);
        } catch (FFI\Exception $error) {
            $hint = 'install the C library or set SWITCHGEAR_LIBRARY to its path';
            throw new Error("{$error->getMessage()}: $hint", 0, $error);
        }
    }

    private static function checked(FFI $ffi): FFI
    {
        $size = FFI::sizeof($ffi->type('swg_circuit_config'));
        if ($ffi->swg_version() >> 16 !== 0 || $ffi->swg_profile_http->size !== $size) {
            throw new Error('this package does not fit the installed libswitchgear: install its own');
        }
        return $ffi;
    }

    /** The result if it is not an error, else the exception that fits. */
    public static function check(int $result): int
    {
        if ($result >= 0) {
            return $result;
        }
        $ffi = self::ffi();
        $errno = $result === self::ESYS ? $ffi->__errno_location()[0] : 0;
        $text = $ffi->swg_error_text($result);
        if ($result === self::EINVAL) {
            throw new \InvalidArgumentException($text);
        }
        throw new Error($errno === 0 ? $text : "system call failed, errno $errno", $result);
    }

    /** @return list<int> */
    public static function numbers(FFI\CData $array): array
    {
        $numbers = [];
        foreach ($array as $number) {
            $numbers[] = $number;
        }
        return $numbers;
    }
}
