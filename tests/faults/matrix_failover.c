#include "stage.h"

const fault_row failover_rows[] = {
    {0},
};
