/* Writes the recording of a crowd to stdout. usage: fleet_check_sample SEED EXCHANGES */
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    static struct crowd crowd;
    const json_t *line;
    size_t i;

    if (argc != 3) {
        fprintf(stderr, "usage: fleet_check_sample SEED EXCHANGES\n");
        return 2;
    }
    crowd_open(&crowd, strtoull(argv[1], NULL, 10));
    crowd_run(&crowd, atoi(argv[2]));
    crowd_sort(&crowd);
    json_array_foreach(crowd.lines, i, line)
    {
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
    }
    crowd_close(&crowd);
    return 0;
}
