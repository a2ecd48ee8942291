add_compile_options(-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                    -Wno-missing-field-initializers)
option(SWG_WERROR "Treat warnings as errors" OFF)
if(SWG_WERROR)
    add_compile_options(-Werror)
endif()
