"""What Python's own modules in C compute: integers, floats, digests, compression, text."""
import decimal, fractions, hashlib, json, math, random, re, struct, zlib

r = random.Random(5)
print([math.sin(x / 7) ** 3 for x in range(20)], math.fsum(r.random() for _ in range(1000)))
for name in "md5 sha1 sha256 sha512 blake2b blake2s sha3_256".split():
    print(name, hashlib.new(name, b"x" * 10000).hexdigest())
print(pow(3, 12345, 2**521 - 1), 2**1000 % 997, math.factorial(200), math.isqrt(10**61), math.comb(90, 41))
print(sorted(r.sample(range(10000), 50)), [r.gauss(0, 1) for _ in range(5)], r.getrandbits(200))
print(json.dumps({str(i): i * 0.1 for i in range(30)}), repr(1e22), 0.1 + 0.2, float.fromhex("0x1.8p-1074"))
print(re.findall(r"(\w+)@(\w+)\.com", "a@b.com, foo@bar.com " * 5))
print(zlib.crc32(b"abc" * 1000), zlib.compress(b"abcab" * 99))
print(decimal.Decimal(2).sqrt(decimal.Context(prec=60)), decimal.Decimal("1.1") ** 50)
print(fractions.Fraction(355, 113) ** 5)
print([complex(a, b) ** 1.5 for a in (-1, 2) for b in (0.5, -3)])
print(math.gamma(5.5), math.erf(0.3), math.lgamma(-2.5))
print(round(2.675, 2), [format(math.pi * 10.0**k, ".12g") for k in range(-5, 25, 3)], divmod(-7.5, 2))
print(struct.pack("<hifd", -3, 70000, 1.1, -2.2), int("9" * 300) // int("7" * 80), str(3**700))
counts = {}
for i in range(5000):
    counts[i * 7919 % 1007] = counts.get(i % 97, 0) + i
print(sum(counts.values()), len(counts), max(counts.items()), "".join(sorted("black quartz")).upper())
