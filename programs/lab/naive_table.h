/* The last table of the stage `naive`: what sharing costs, and what is left of it without Redis. */
#ifndef SWG_LAB_NAIVE_TABLE_H
#define SWG_LAB_NAIVE_TABLE_H

#include "lab.h"

void naive_table(lab *l);

#endif
