/* Plays a fuzz target without libFuzzer: every file named, then seeded mutations of it.
 *
 *   fuzz_replay_X [--mutations N] [--seed N] FILE... */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    uint8_t *data = malloc(1 << 20);
    *size = fread(data, 1, 1 << 20, file);
    fclose(file);
    return data;
}

/* Flips bits, spoils whole words, cuts off the end. */
static size_t mutate(uint8_t *data, size_t size, unsigned *seed)
{
    const int changes = 1 + rand_r(seed) % 12;
    for (int i = 0; i < changes && size > 16; i++) {
        const size_t at = (size_t)rand_r(seed) % (size - 8);
        switch (rand_r(seed) % 5) {
        case 0:
            data[at] ^= (uint8_t)(1u << rand_r(seed) % 8);
            break;
        case 1:
            data[at] = (uint8_t)rand_r(seed);
            break;
        case 2:
            memset(data + at / 8 * 8 + 1, rand_r(seed) % 2 ? 0xff : 0, 7);
            break;
        case 3:
            for (int k = 0; k < 8; k++) {
                data[at + (size_t)k] = (uint8_t)rand_r(seed);
            }
            break;
        default:
            if (rand_r(seed) % 20 == 0) {
                size -= (size_t)rand_r(seed) % (size / 2);
            } else {
                data[at] ^= 0x80;
            }
            break;
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    long mutations = 2000;
    unsigned seed = 1;
    long runs = 0;
    int first = 1;
    while (first + 1 < argc && strncmp(argv[first], "--", 2) == 0) {
        if (strcmp(argv[first], "--mutations") == 0) {
            mutations = atol(argv[first + 1]);
        } else if (strcmp(argv[first], "--seed") == 0) {
            seed = (unsigned)atol(argv[first + 1]);
        }
        first += 2;
    }
    printf("seed %u\n", seed);
    fflush(stdout);
    for (int i = first; i < argc; i++) {
        size_t size;
        uint8_t *data = read_file(argv[i], &size);
        uint8_t *copy = malloc(size + 1);
        LLVMFuzzerTestOneInput(data, size);
        for (long m = 0; m < mutations; m++, runs++) {
            memcpy(copy, data, size);
            LLVMFuzzerTestOneInput(copy, mutate(copy, size, &seed));
        }
        free(copy);
        free(data);
    }
    printf("%ld mutations of %d files\n", runs, argc - first);
    return 0;
}
