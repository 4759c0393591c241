/* SPDX-License-Identifier: Apache-2.0 */
/* Faults: each kind is a process that strikes at drawn times until the cluster is healed. */
#ifndef TALLY_SIM_FAULTS_H
#define TALLY_SIM_FAULTS_H

#include "sim.h"

void sim_faults_begin(struct sim *sim);
/* Fault process `kind` strikes, and plans its next strike. */
void sim_faults_strike(struct sim *sim, uint32_t kind);
/* The fault of that serial number ends, if it is still at work. */
void sim_faults_heal(struct sim *sim, uint32_t place, uint64_t serial);
/* All of them end, for good; everything that is down starts. */
void sim_faults_end(struct sim *sim);

#endif
