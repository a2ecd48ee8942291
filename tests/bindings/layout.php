<?php
/* layout.c's lines, from what FFI makes of the PHP package's switchgear.h. */
declare(strict_types=1);

use Switchgear\Native;

require __DIR__ . '/autoload.php';

$structs = ['swg_panel_config', 'swg_circuit_config', 'swg_permit', 'swg_event', 'swg_snapshot'];
foreach ($structs as $name) {
    $type = Native::ffi()->type($name);
    echo "size $name {$type->getSize()}\n";
    foreach ($type->getStructFieldNames() as $field) {
        $size = $type->getStructFieldType($field)->getSize();
        echo "field $name.$field {$type->getStructFieldOffset($field)} $size\n";
    }
}
foreach (['Verdict', 'Outcome', 'State', 'Override', 'Cause'] as $kind) {
    foreach (("Switchgear\\$kind")::cases() as $case) {
        $word = strtolower(preg_replace('/(?<=[a-z])(?=[A-Z])/', '_', $case->name));
        echo 'enum ', strtolower($kind), " $word {$case->value}\n";
    }
}
foreach (['DIFFERS', 'EINVAL', 'ESYS', 'ENOENT', 'NONE'] as $name) {
    echo "const $name ", constant(Native::class . "::$name"), "\n";
}
