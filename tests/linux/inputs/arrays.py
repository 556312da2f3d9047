"""numpy's functions, which choose among variants by CPUID, and OpenBLAS behind numpy.linalg: checksums."""
import zlib

import numpy as np

np.set_printoptions(floatmode="unique", linewidth=100)
np.seterr(all="ignore")
r = np.random.RandomState(7)
N = 1003


def h(a):
    a = np.ascontiguousarray(a)
    return "%s %s %08x" % (a.dtype, a.shape, zlib.crc32(a.tobytes()))


ONE = """sin cos tan exp exp2 expm1 log log2 log10 log1p sqrt cbrt arcsin arccos arctan sinh cosh tanh arcsinh
  arccosh arctanh floor ceil rint trunc square reciprocal absolute sign isnan signbit
  spacing negative""".split()
TWO = """add subtract multiply divide power fmod arctan2 hypot maximum minimum fmax fmin copysign nextafter
  logaddexp floor_divide remainder greater equal""".split()
for dt in np.float32, np.float64:
    x, y = (r.standard_normal(N) * 10).astype(dt), r.standard_normal(N).astype(dt)
    for f in ONE:
        print(f, h(getattr(np, f)(x)), h(getattr(np, f)(y)))
    for f in TWO:
        print(f, h(getattr(np, f)(x, y)), h(getattr(np, f)(y[::3], x[::3])))
    print("ldexp", h(np.ldexp(x, np.arange(N) % 9)), h(np.frexp(x)[0]), h(np.modf(x)[1]))
    print(x.sum(), x.mean(), x.std(), x.var(), x.max(), x.argmin(), np.median(x), np.cumsum(x)[-1])
    print(np.sort(x)[:3])
    a, b = r.standard_normal((40, 40)).astype(dt), r.standard_normal((40, 40)).astype(dt)
    print("products", h(a @ b), h(a.T @ b), h(a.dot(x[:40])), np.dot(x, x), h(np.einsum("ij,jk->ik", a, b)))
    print("solve", h(np.linalg.inv(a)), np.linalg.det(a), h(np.linalg.solve(a, x[:40])))
    print("values", h(np.linalg.eigvalsh(a + a.T)), h(np.linalg.svd(a)[1]), h(np.linalg.qr(a)[0]),
          h(np.linalg.cholesky(a @ a.T + np.eye(40, dtype=dt) * 50)))
    print("fft", h(np.fft.fft(x)), h(np.fft.rfft(x[:512])), h(np.fft.fft2(a)))
    print("others", h(np.convolve(x, y[:33])), h(np.interp(y, np.sort(x), x)), np.histogram(x, bins=7)[0])
for dt in "bBhHiIlLqQ":
    x, y = r.randint(0, 120, 997).astype(dt), r.randint(1, 100, 997).astype(dt)
    made = [f(x, y) for f in (np.add, np.multiply, np.floor_divide, np.remainder, np.bitwise_xor,
                              np.left_shift, np.maximum, np.gcd, np.less)]
    print(dt, [h(m) for m in made], x.sum(), x.prod(), np.unique(x).size)
    print("sorted", h(np.sort(x)), h(np.argsort(x, kind="stable")))
x = r.standard_normal(200) + 1j * r.standard_normal(200)
print("complex", h(x * x), h(np.exp(x)), h(np.abs(x)), h(np.sqrt(x)), h(x.astype(np.complex64) ** 2))
x = (r.standard_normal(300) * 100).astype(np.float16)
print("half", h(x), h(x * x), h(x.astype(np.float64)), h(np.sin(x)), h(np.sort(x)))
x = r.standard_normal(100).astype(np.longdouble) / 3
print("long double", np.sin(x)[:3], x.sum(), np.exp(x)[-1])
g = np.random.default_rng(3)
print("random", g.integers(0, 1000, 10), g.normal(size=4), g.permutation(20))
print("random", h(g.random(1000, dtype=np.float32)))
print("others", h(np.arange(100).reshape(10, 10).T.copy()), np.packbits(np.arange(64) % 3 == 0))
