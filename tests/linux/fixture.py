"""The directory each compared run starts in: the same files, modes and times every time."""
import bz2, gzip, io, lzma, math, os, random, shutil, struct, tarfile

WORDS = ("the a of and over under ring gate stack selector segment page fault trap kernel user mode task state "
         "switch call return privilege level descriptor table register flag interrupt exception vector error code "
         "base limit").split()
WHEN = 1000000000  # 2001-09-09


def put_in(root, name, data, mode=0o644):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data.encode() if isinstance(data, str) else data)
    os.chmod(path, mode)


def make(root):
    r = random.Random(20240229)

    def put(*args):
        put_in(root, *args)

    lines = [" ".join(r.choices(WORDS, k=r.randrange(3, 12))) for _ in range(300)]
    text = "\n".join(lines) + "\n"
    changed = lines[:]
    changed[10], changed[200:203] = "a changed line", ["an inserted line"]
    noise = r.randbytes(16384) + text.encode() * 2 + bytes(5000) + r.randbytes(20000)
    put("text.txt", text)
    put("changed.txt", "\n".join(changed) + "\n")
    put("numbers.txt", "".join("%d\n" % r.randrange(-500, 500) for _ in range(400)))
    rows = ["name%d,%s,%.3f\n" % (i % 37, r.choice(WORDS), r.random() * 1000) for i in range(150)]
    put("table.csv", "".join(rows))
    put("data.bin", noise)
    put("empty", "")
    put("run.sh", "#!/bin/sh\necho run\n", 0o755)
    put("private", "secret\n", 0o600)
    put("dir/deep/down/deep.txt", "deep\n")
    put("dir/file one.txt", "one\n")
    put("dir/file2", "two\n" * 1000)
    os.makedirs(os.path.join(root, "dir/hollow"))
    put("pairs.txt", "a b\nb c\nc d\na d\n")
    put("sums.bc", "2+3*4\nscale=20\n1/7\nsqrt(2)\n2^100\nfor (i=1;i<5;i++) i^2\nquit\n")
    put("commands.ed", "1,3p\n2d\n/ring/s//RING/\n$a\nappended\n.\nw\nq\n")
    put("change.diff", "--- pairs.txt\n+++ pairs.txt\n@@ -1,4 +1,4 @@\n a b\n-b c\n+b x\n c d\n a d\n")
    put("encoded.b64", "cmluZyAzIC0+IHJpbmcgMCAtPiByaW5nIDMK\n")
    os.symlink("dir/deep/down/deep.txt", os.path.join(root, "link"))

    zipped = io.BytesIO()
    with gzip.GzipFile("packed", "wb", 9, zipped, WHEN) as f:
        f.write(text.encode())
    put("packed.gz", zipped.getvalue())
    put("packed.bz2", bz2.compress(noise))
    put("packed.xz", lzma.compress(text.encode(), check=lzma.CHECK_CRC32))
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as t:
        for name, mode in (("inside/one", 0o644), ("inside/two", 0o751)):
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(text), mode, WHEN
            info.uid, info.gid = os.getuid(), os.getgid()
            t.addfile(info, io.BytesIO(text.encode()))
    put("packed.tar", tarred.getvalue())

    settle(root)


def settle(root):
    """Times that do not depend on when it was made"""
    count = 0
    for top, dirs, files in os.walk(root, topdown=False):
        for name in sorted(files) + sorted(dirs):
            count += 1
            os.utime(os.path.join(top, name), (WHEN + count, WHEN + count), follow_symlinks=False)
        os.utime(top, (WHEN, WHEN))


def prime(r, bits):
    while True:
        n = r.getrandbits(bits) | 3 << bits - 2 | 1
        if n % 65537 != 1 and all(n % k for k in range(3, 2000, 2)) and pow(2, n - 1, n) == 1:
            return n


def der(tag, data):
    n = len(data)
    return bytes([tag]) + (bytes([n]) if n < 128 else b"\x82" + struct.pack(">H", n)) + data


def rsa_key(r):
    """PKCS #1, RFC 8017 A.1.2 (RSA Private Key Syntax)"""
    p, q, e = prime(r, 1024), prime(r, 1024), 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = 0, p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)
    return der(0x30, b"".join(der(2, n.to_bytes(n.bit_length() // 8 + 1, "big")) for n in numbers))


def make_media(root):
    """Further inputs, for programs.py: tests/linux/inputs, a picture, a clip, a sound, keys"""
    r = random.Random(20240301)
    inputs = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inputs")
    for name in os.listdir(inputs):
        shutil.copy(os.path.join(inputs, name), root)

    w, h = 160, 120
    pixels = (x * 3 + y * y // 9 + r.randrange(20) + c * x * y // 50 & 255
              for y in range(h) for x in range(w) for c in range(3))
    put_in(root, "picture.ppm", b"P6 %d %d 255\n" % (w, h) + bytes(pixels))
    w, h, frames = 96, 64, []
    for t in range(6):
        luma = (x * 2 + 3 * t ^ y * 3 - t if (x - 40 - t) ** 2 + (y - 30) ** 2 > 200 else r.randrange(256)
                for y in range(h) for x in range(w))
        chroma = (x * 2 + y + c * 80 + t for c in range(2) for y in range(h // 2) for x in range(w // 2))
        frames.append(b"FRAME\n" + bytes(v & 255 for v in luma) + bytes(v & 255 for v in chroma))
    put_in(root, "clip.y4m", b"YUV4MPEG2 W%d H%d F25:1 Ip C420\n" % (w, h) + b"".join(frames))
    sound = b"".join(struct.pack("<hh", int(9000 * math.sin(i * .05)) + r.randrange(-900, 900),
                                 int(8000 * math.sin(i * .031) * math.cos(i * .0003))) for i in range(22050))
    form = struct.pack("<IHHIIHH", 16, 1, 2, 44100, 176400, 4, 16) + b"data" + struct.pack("<I", len(sound))
    put_in(root, "sound.wav", b"RIFF" + struct.pack("<I", 36 + len(sound)) + b"WAVEfmt " + form + sound)

    put_in(root, "aligned.bin", r.randbytes(16384))
    put_in(root, "digest", r.randbytes(32))
    put_in(root, "rsa.der", rsa_key(r))
    for name, number in ("x25519", 110), ("ed25519", 112):  # RFC 8410 7 (Private Key Format): 1.3.101.N
        oid = der(0x30, der(6, bytes([43, 101, number])))
        put_in(root, name + ".der", der(0x30, der(2, b"\0") + oid + der(4, der(4, r.randbytes(32)))))
    settle(root)
