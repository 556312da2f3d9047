/* The models with little, where a test adds what it is about: one of each vendor. */
#ifndef TESTS_UNIT_BASELINE_H
#define TESTS_UNIT_BASELINE_H

#include "msr/model.h"

static inline const struct cpu_model *baseline(unsigned vendor) {
  return model_find(vendor == VENDOR_AMD ? "x86-64-amd" : "x86-64");
}

#endif
