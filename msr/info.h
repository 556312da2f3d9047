/* Text listings of the tables of this layer, for `ringwalk info msrs|cpus|cpuid`. */
#ifndef MSR_INFO_H
#define MSR_INFO_H

#include <stdio.h>

#include "msr/model.h"

/* Every register with index, name, reset value, writable bits, vendors and citation. */
void info_msrs(FILE *out);
/* Every model with its features, and the rules in which models differ. */
void info_cpus(FILE *out);
/* Every CPUID leaf of a model after reset, raw and with the names of its feature bits. */
void info_cpuid(FILE *out, const struct cpu_model *m);
/* How many subleaves of a leaf can say something. */
u32 info_subleaves(const struct cpu_model *m, const struct cpuid_dynamic *dyn, u32 leaf);

#endif
