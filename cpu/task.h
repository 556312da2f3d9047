/* Hardware task switches. SDM 3A 7 (Task Management): 7.2.5 (Task-Gate Descriptor), 7.3 (Task Switching),
 * 7.4 (Task Linking).
 *
 * Each returns the new task's EIP, with the mode computed; the caller ends the transition, which says
 * TR_TASK and in `cause` what it was before. A fault before the commit leaves everything as it was; one
 * behind it is raised in the new task, at its first instruction. */
#ifndef CPU_TASK_H
#define CPU_TASK_H

#include "cpu/gate.h"
#include "cpu/seg.h"

/* JMP or CALL to d, a TSS or a task gate in legacy protected mode. */
MUST_CHECK u64 task_far(struct cpu *cpu, struct transition *t, struct desc *d, bool call, u64 next);
/* An interrupt or exception through a task gate that names the TSS sel; gate and its checks are behind us. */
MUST_CHECK u64 task_event(struct cpu *cpu, struct transition *t, u16 sel, const struct event *ev);
/* IRET with NT set: back to the task that the current TSS links to. */
MUST_CHECK u64 task_iret(struct cpu *cpu, struct transition *t, u64 next);

#endif
