/* switchgear: circuit breakers shared by threads, processes and hosts. Includes everything the core
 * library offers; link with -lswitchgear (pkg-config switchgear). */
#ifndef SWITCHGEAR_H
#define SWITCHGEAR_H

#include <switchgear/types.h>
#include <switchgear/panel.h>
#include <switchgear/circuit.h>
#include <switchgear/retry.h>
#include <switchgear/observe.h>

#endif
