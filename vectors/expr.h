/* Operators and functions of expressions. */
#ifndef VECTORS_EXPR_H
#define VECTORS_EXPR_H

#include "base/types.h"

enum expr_op {
  OP_OR, OP_AND, OP_BOR, OP_XOR, OP_BAND, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_SHL, OP_SHR, OP_ADD,
  OP_SUB, OP_MUL, OP_DIV, OP_MOD, OP_COUNT,
  OP_NEG = OP_COUNT, OP_NOT, OP_INV, OP_ASSIGN, OP_CLEAR,
};
u64 expr_binary(enum expr_op op, u64 a, u64 b);

enum expr_fn {
  FN_CS32, FN_CS64, FN_CS16, FN_DS, FN_SS16, FN_DS16, FN_HANDLER, FN_PTE, FN_DESC, FN_GATE, FN_IST,
  FN_TSS_STACK, FN_COUNT,
};

/* What the model is asked: bits of a canonical address in its widest mode, of a physical address; features. */
enum expr_model { MODEL_CANONICAL, MODEL_PHYSICAL, MODEL_FEATURE };

#endif
