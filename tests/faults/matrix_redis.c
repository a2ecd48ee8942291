#include "stage.h"

const fault_row redis_rows[] = {
    {0},
};
