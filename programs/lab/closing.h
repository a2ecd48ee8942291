/* What one has just seen, in a few sentences and the numbers of this run. */
#ifndef SWG_LAB_CLOSING_H
#define SWG_LAB_CLOSING_H

#include "lab.h"

void fleet_closing(lab *l);
void compare_closing(lab *l);

#endif
