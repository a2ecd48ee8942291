/* What one has just seen, in a few sentences and the numbers of this run. Nothing if not all went
 * as it should: it would not be what there is to see. */
#ifndef SWG_LAB_CLOSING_H
#define SWG_LAB_CLOSING_H

#include "lab.h"

enum { CLOSING_MAX = 768 };

void fleet_closing(lab *l);
void naive_closing(lab *l);
void compare_closing(lab *l);
const char *compare_text(char text[CLOSING_MAX], const lab *l);

#endif
