"""The directory each compared run starts in: the same files, modes and times every time."""
import bz2, gzip, io, lzma, os, random, tarfile

WORDS = ("the a of and over under ring gate stack selector segment page fault trap kernel user mode task state "
         "switch call return privilege level descriptor table register flag interrupt exception vector error code "
         "base limit").split()
WHEN = 1000000000  # 2001-09-09


def make(root):
    r = random.Random(20240229)

    def put(name, data, mode=0o644):
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data.encode() if isinstance(data, str) else data)
        os.chmod(path, mode)

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

    count = 0
    for top, dirs, files in os.walk(root, topdown=False):
        for name in sorted(files) + sorted(dirs):
            count += 1
            os.utime(os.path.join(top, name), (WHEN + count, WHEN + count), follow_symlinks=False)
        os.utime(top, (WHEN, WHEN))
