/* AES, PCLMULQDQ, SHA and GFNI instructions on XMM registers. SDM 1 12.13 (AESNI and PCLMULQDQ); SDM 2 the SHA and
 * GF2P8 pages. */
#include "cpu/lane_crypt.h"
#include "cpu/simd.h"

#define CRYPT_V16(name) VEC_RM(sse_##name, v_w, V16, op_##name)
CRYPT_V16(aesenc)
CRYPT_V16(aesenclast)
CRYPT_V16(aesdec)
CRYPT_V16(aesdeclast)
CRYPT_V16(aesimc)
CRYPT_V16(aeskeygenassist)
CRYPT_V16(pclmulqdq)
CRYPT_V16(gf2p8mulb)
CRYPT_V16(gf2p8affineqb)
CRYPT_V16(gf2p8affineinvqb)
CRYPT_V16(sha1rnds4)
CRYPT_V16(sha1nexte)
CRYPT_V16(sha1msg1)
CRYPT_V16(sha1msg2)
CRYPT_V16(sha256msg1)
CRYPT_V16(sha256msg2)
VEC_RM(sse_sha256rnds2, v_w_x0, V16, op_sha256rnds2)
