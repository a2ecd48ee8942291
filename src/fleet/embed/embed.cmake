# cmake -DOUT=scripts.c -DDIR=lua -P embed.cmake: each script, prelude first, as a C string with the
# SHA1 that Redis will know it by.
file(READ ${DIR}/prelude.lua prelude)
set(c "/* generated from src/fleet/lua */\n#include \"fleet/wire.h\"\n")
foreach(name sync admin)
    file(READ ${DIR}/${name}.lua body)
    set(script "${prelude}${body}")
    string(SHA1 sha1 "${script}")
    file(WRITE ${OUT}.${name}.lua "${script}")
    # CMake splits lists at ; and joins at [ ]: the text is treated as one string throughout.
    string(REPLACE "\\" "\\\\" script "${script}")
    string(REPLACE "\"" "\\\"" script "${script}")
    string(REPLACE "\n" "\\n\"\n    \"" script "${script}")
    string(APPEND c "\nconst char swg_fleet_${name}_sha1[] = \"${sha1}\";\n")
    string(APPEND c "const char swg_fleet_${name}_lua[] =\n    \"${script}\";\n")
endforeach()
file(WRITE ${OUT} "${c}")
