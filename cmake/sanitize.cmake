if(SWG_SANITIZE)
    add_compile_options(-fsanitize=${SWG_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${SWG_SANITIZE})
endif()
