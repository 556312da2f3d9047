"""Dynamically linked programs of Debian, run by their loader: those that `make deps` unpacks, and for the set
`more` those of `make deps-all`. Each is one thread, and what it prints depends on its input alone."""
import os

TRIPLET = {"x86_64": "x86_64-linux-gnu", "i386": "i386-linux-gnu"}
LOADER = {"x86_64": "lib64/ld-linux-x86-64.so.2", "i386": "lib/ld-linux.so.2"}
GNU = {"x86_64": "x86_64-linux-gnu", "i386": "i686-linux-gnu"}
MACHINE = {"x86_64": "i386:x86-64", "i386": "i386"}
# System calls that a program can do without, and the emulated kernel does not have yet.
LOGGED = rb"ringwalk: unsupported system call (mbind|get_mempolicy)\(\d+\)\n"


class Row:
    """varies: a pattern of what is not compared in what it prints; stderr: whether that is compared"""

    def __init__(self, command, stdin=None, status=0, env=None, varies=None, stderr=True):
        words = command if isinstance(command, list) else command.split()
        self.name = " ".join(words + ["%s=%s" % v for v in sorted((env or {}).items())])
        self.words, self.stdin, self.status = words, stdin, status
        self.env, self.varies, self.stderr = env or {}, varies, stderr


def command(root, arch, row):
    """-> the argument vector, with the loader first and the program fourth; variables of the environment"""
    lib = TRIPLET[arch]
    folders = "lib/" + lib, "usr/lib/" + lib, "usr/lib/" + lib + "/openblas-pthread"
    path = ":".join(os.path.join(root, f) for f in folders)
    words = [w.replace("@GNU@", GNU[arch]).replace("@MACHINE@", MACHINE[arch]) for w in row.words]
    program = {"cc1": "usr/lib/gcc/%s/12/cc1" % GNU[arch]}.get(words[0], "usr/bin/" + words[0])
    env = dict(row.env)
    if words[0].startswith("python"):
        env.update(PYTHONHOME=os.path.join(root, "usr"), PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1",
                   PYTHONPATH=os.path.join(root, "usr/lib/python3/dist-packages"), OPENBLAS_NUM_THREADS="1")
    env["OPENSSL_CONF"] = "/dev/null"
    loader, program = os.path.join(root, LOADER[arch]), os.path.join(root, program)
    return [loader, "--library-path", path, program] + words[1:], env


KEY = "00112233445566778899aabbccddeeff"
IV = "000102030405060708090a0b0c0d0e0f"
OPENSSL = (
    ["openssl version"]
    + ["openssl dgst -%s data.bin" % d for d in (
        "md5", "sha1", "sha256", "sha512", "sha3-256", "shake256", "blake2b512", "blake2s256", "ripemd160",
        "sm3")]
    + ["openssl enc -%s -K %s -iv %s -in data.bin" % (c, KEY * n, IV) for c, n in (
        ("aes-128-cbc", 1), ("aes-256-cbc", 2), ("aes-128-ctr", 1), ("aes-192-ofb", 1),
        ("camellia-128-cbc", 1), ("chacha20", 2), ("aria-128-ctr", 1), ("sm4-cbc", 1), ("des-ede3-cbc", 1))]
    + ["openssl enc -d -aes-128-cbc -K %s -iv %s -nopad -in aligned.bin" % (KEY, IV),
       "openssl enc -aes-128-ecb -K %s -in data.bin -out made" % KEY,
       "openssl mac -cipher AES-128-GCM -macopt hexkey:%s -macopt hexiv:%s -in text.txt GMAC" % (KEY, IV),
       "openssl mac -macopt hexkey:%s -in data.bin Poly1305" % (KEY * 2),
       "openssl mac -cipher AES-128-CBC -macopt hexkey:%s -in data.bin CMAC" % KEY,
       "openssl mac -macopt hexkey:%s -in data.bin SipHash" % KEY,
       "openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt pass:x -kdfopt salt:y -kdfopt iter:300 PBKDF2",
       "openssl kdf -keylen 32 -kdfopt pass:x -kdfopt salt:y -kdfopt n:64 -kdfopt r:8 -kdfopt p:1 SCRYPT",
       "openssl pkeyutl -sign -inkey rsa.der -keyform DER -in digest -pkeyopt digest:sha256",
       "openssl pkeyutl -sign -rawin -inkey ed25519.der -keyform DER -in digest",
       "openssl pkey -in x25519.der -inform DER -text",
       "openssl rsa -in rsa.der -inform DER -check -noout",
       "openssl prime 170141183460469231731687303715884105727",
       "openssl prime 170141183460469231731687303715884105729"])
# How fast it is differs from run to run, and a new key: only that it ran.
SPEED = [Row("openssl " + c, varies=rb"(?s).+", stderr=False) for c in (
    "speed -seconds 1 -bytes 1024 -evp sha256", "speed -seconds 1 -bytes 1024 -evp aes-128-gcm",
    "speed -seconds 1 -bytes 1024 -evp chacha20-poly1305", "speed -seconds 1 rsa2048",
    "speed -seconds 1 ecdsap256", "genrsa 1024")]

# Files made by native runs first: name, command that prints it.
PREPARED = {"more": {"program.s": "cc1 -quiet -O2 program.c -o -"}, "programs": {
    "picture.jpg": "cjpeg -quality 85 picture.ppm",
    "packed.zst": "zstd -c -q -12 data.bin",
    "sound.flac": "flac -s -c sound.wav",
    "clip.ivf": "vpxenc --quiet --codec=vp9 --cpu-used=5 --ivf -o - clip.y4m",
}}

# numpy and OpenBLAS as on smaller processors, here and natively alike.
NO_AVX512 = {"NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
             "OPENBLAS_CORETYPE": "Haswell"}
NO_AVX = {"NPY_DISABLE_CPU_FEATURES": NO_AVX512["NPY_DISABLE_CPU_FEATURES"] + " AVX F16C FMA3 AVX2",
          "OPENBLAS_CORETYPE": "Nehalem"}

ROWS = {
    "programs": [Row(c) for c in OPENSSL] + [
        Row("zstd -c -q --no-asyncio --single-thread -3 text.txt"),
        Row("zstd -c -q --no-asyncio --single-thread -12 data.bin"),
        Row("zstd -c -q --no-asyncio --single-thread --fast=5 --long=20", stdin="data.bin"),
        Row("zstd -q --no-asyncio --single-thread -7 text.txt data.bin"),
        Row("zstd -dc -q --no-asyncio packed.zst"),
        Row("zstd -t -q --no-asyncio text.txt", status=1),
        Row("xz -c -T1 -6 data.bin"),
        Row("xz -c -T1 --x86 --lzma2=preset=1 data.bin"),
        Row("xz -T1 -2 --check=crc64 text.txt"),
        Row("xz -dc -T1 packed.xz"),
        Row("xz -t packed.gz", status=1),
        Row("sqlite3 -batch :memory:", stdin="queries.sql"),
        Row(["sqlite3", "-batch", "made.db", ".read queries.sql"]),
        Row("7zz h -mmt=off -bd -scrcSHA256 data.bin text.txt"),
        Row("7zz h -mmt=off -bd -scrcCRC64 data.bin"),
        Row("7zz a -mmt=off -bd -tgzip -mx=3 -so x text.txt"),
        Row("7zz a -mmt=off -bd -tbzip2 -so x text.txt"),
        Row("7zz a -mmt=off -bd -txz -mx=1 -so x text.txt"),
        Row("7zz e -mmt=off -bd -so packed.bz2"),
        Row("7zz a -mmt=off -bd -mx=4 made.7z text.txt dir"),
        Row("7zz t -mmt=off -bd packed.xz"),
        Row("cjpeg -quality 85 picture.ppm"),
        Row("cjpeg -dct float -progressive picture.ppm"),
        Row("cjpeg -dct fast -optimize -sample 2x1 picture.ppm"),
        Row("cjpeg -grayscale -arithmetic -smooth 30 -outfile made.jpg picture.ppm"),
        Row("djpeg -dct int picture.jpg"),
        Row("djpeg -dct float -bmp picture.jpg"),
        Row("djpeg -dct fast -nosmooth picture.jpg"),
        Row("djpeg -scale 3/8 -outfile made.ppm picture.jpg"),
        Row("djpeg -colors 40 -gif picture.jpg"),
        Row("jpegtran -rotate 90 -progressive picture.jpg"),
        Row("flac -s -8 -o made.flac sound.wav"),
        Row("flac -s -d -c sound.flac"),
        Row("flac -s -2 -f --lax -b 1152 -o made.flac sound.wav"),
        Row("vpxdec --md5 --i420 clip.ivf"),
        Row("vpxenc --quiet --threads=0 --codec=vp9 --limit=2 --rt --cpu-used=5 --ivf -o made.ivf clip.y4m"),
        Row("vpxenc --quiet --threads=0 --codec=vp8 --limit=3 --ivf -o made.ivf clip.y4m"),
    ],
    "more": SPEED + [
        Row("zstd -c -q --no-asyncio --single-thread -19 data.bin"),
        Row("vpxenc --quiet --threads=0 --codec=vp9 --ivf -o made.ivf clip.y4m"),
        Row("7zz a -mmt=off -bd -txz -mx=3 -so x data.bin"),
        Row("python3.11 -S plain.py"),
        Row("python3.11 -S arrays.py"),
        Row("python3.11 -S arrays.py", env=NO_AVX512),
        Row("python3.11 -S arrays.py", env=NO_AVX),
        Row("cc1 -quiet -O2 program.c -o -"),
        Row("cc1 -quiet -O3 -g -fno-working-directory program.c -o program.s"),
        Row("cc1 -quiet -O2 -march=icelake-server -mprefer-vector-width=512 program.c -o program.s"),
        Row("@GNU@-as -o made.o assembly.s"),
        Row("@GNU@-as --64 -o made.o program.s"),
        Row("@GNU@-ld -r -b binary -o made.o data.bin text.txt"),
        Row("@GNU@-ld -e 0 -b binary -o made data.bin text.txt"),
        Row("@GNU@-objdump -D -b binary -m @MACHINE@ aligned.bin"),
    ],
}
