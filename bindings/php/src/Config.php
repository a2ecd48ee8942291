<?php
declare(strict_types=1);

namespace Switchgear;

use FFI;

/** @internal Configurations from named arguments. */
final class Config
{
    private const PROFILES = ['http', 'database', 'classic'];

    /** Null (all defaults) if nothing is asked for. */
    public static function make(?string $profile, array $fields): ?FFI\CData
    {
        if ($profile === null && $fields === []) {
            return null;
        }
        $config = self::start($profile);
        foreach ($fields as $key => $value) {
            self::set($config, (string) $key, $value);
        }
        self::checkTogether($config);
        return $config;
    }

    private static function start(?string $profile): FFI\CData
    {
        $ffi = Native::ffi();
        $config = $ffi->new('swg_circuit_config');
        if ($profile !== null) {
            if (!in_array($profile, self::PROFILES, true)) {
                throw new \InvalidArgumentException("no profile $profile: http, database, classic");
            }
            FFI::memcpy($config, $ffi->{"swg_profile_$profile"}, FFI::sizeof($config));
        }
        $config->size = FFI::sizeof($config);
        return $config;
    }

    private static function set(FFI\CData $config, string $key, int|string|null $value): void
    {
        $text = $value === null ? 'none' : (string) $value;
        $result = Native::ffi()->swg_config_set(FFI::addr($config), $key, $text);
        if ($result === Native::ENOENT) {
            throw new \InvalidArgumentException("no such circuit option: $key");
        }
        if ($result < 0) {
            throw new \InvalidArgumentException("$key: $text is out of range, or not a value it takes");
        }
    }

    private static function checkTogether(FFI\CData $config): void
    {
        $ffi = Native::ffi();
        $field = $ffi->new('const char *');
        $reason = $ffi->new('const char *');
        if ($ffi->swg_config_check(FFI::addr($config), FFI::addr($field), FFI::addr($reason)) < 0) {
            throw new \InvalidArgumentException(FFI::string($field) . ' ' . FFI::string($reason));
        }
    }
}
