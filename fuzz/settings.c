/* Text for swg_config_set, "key=value" lines, and the struct that comes of it for swg_config_check.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    swg_circuit_config config = {.size = sizeof(config)};
    const char *field;
    const char *reason;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *value = strchr(line, '=');
        if (value != NULL) {
            *value++ = '\0';
            swg_config_set(&config, line, value);
        }
    }
    if (swg_config_check(&config, &field, &reason) != SWG_OK && *reason == '\0') {
        abort(); /* an error without a reason */
    }
    free(text);
    return 0;
}
