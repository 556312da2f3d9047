"""The C library's variants of its functions, for one kind of processor each: the settings that make it choose
them, and whether all have been chosen and run. tests/guest/variants.c and libm.c are the programs."""
import os, re, subprocess

# No model has RTM; without it this machine chooses as the emulated one.
ALWAYS = "-RTM"
NO_AVX512 = "-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ"
NO_AVX2 = NO_AVX512 + ",-AVX2,-AVX_Fast_Unaligned_Load"
NO_SSE4 = "-SSSE3,-SSE4_1,-SSE4_2"

# glibc.cpu.hwcaps: what it shall believe this processor has not, and what to prefer.
STRINGS = {
    "x86_64": [
        "", "-ERMS", "-AVX512DQ",
        NO_AVX512 + ",-Prefer_No_VZEROUPPER", NO_AVX512 + ",-Prefer_No_VZEROUPPER,-ERMS",
        NO_AVX2, NO_AVX2 + ",-Fast_Unaligned_Copy", NO_AVX2 + ",-AVX,-FMA,-ERMS," + NO_SSE4,
        NO_AVX2 + ",-FMA,-Fast_Unaligned_Load,Slow_BSF," + NO_SSE4,
        NO_AVX2 + ",-SSE4_2,Prefer_ERMS", "-FMA,-FMA4,-AVX512VL"],
    "i386": [
        "", "-SSE4_1,-SSE4_2", NO_SSE4, NO_SSE4 + ",-SSE2", NO_SSE4 + ",-SSE2,-FMA,-AVX2",
        NO_SSE4 + ",Slow_BSF,-FMA", NO_SSE4 + ",Fast_Rep_String",
        "-Fast_Unaligned_Load,-Fast_Rep_String,-Fast_Copy_Backward"],
}
# Registers of 512 bits are for processors with AVX-VNNI and for AMD's; no setting says otherwise.
WIDE_MODEL, WIDE = "zen4", ["", "-ERMS", "-AVX512VL"]
LIBM = {
    "x86_64": ["", "-FMA,-FMA4", "-FMA,-FMA4,-AVX,-AVX2", "-FMA,-FMA4,-AVX,-AVX2,-SSE4_1"],
    "i386": ["", "-FMA,-AVX2", "-FMA,-AVX2,-SSE2"],
    "musl": [""], "musl-i386": [""],
}
# Copies this long pass the caches by, and these by one string instruction: as low as it lets us.
THRESHOLDS = (":glibc.cpu.x86_non_temporal_threshold=0x4040:glibc.cpu.x86_rep_movsb_threshold=0x1000"
              ":glibc.cpu.x86_rep_stosb_threshold=0x800")
LEFT_OUT = ["rtm", "fma4"]  # from what is run by its own name
VARIANT = re.compile(r"(__|_ZGV[bde]N\d+v+_)\w+?_(sse|ssse|avx|evex|erms|generic|ia32|fma|c$|skx|knl)\w*$")


def tunables(hwcaps, thresholds):
    return "glibc.cpu.hwcaps=" + ",".join(filter(None, [ALWAYS, hwcaps])) + (THRESHOLDS if thresholds else "")


def rows(guests, count, wide):
    """wide: this machine has AVX-512. -> (name, build, argv, GLIBC_TUNABLES, model or None) for each run"""
    for build, settings in STRINGS.items():
        program = os.path.join(guests, build, "variants")
        yield "%s variants direct" % build, build, [program, "direct"] + LEFT_OUT, tunables("", True), None
        for i, hwcaps in enumerate(settings):
            name = "%s variants chosen %s" % (build, hwcaps)
            yield name, build, [program, "chosen"], tunables(hwcaps, i % 2), None
    for hwcaps in WIDE if wide else []:
        yield ("x86_64 variants chosen %s %s" % (WIDE_MODEL, hwcaps), "x86_64",
               [os.path.join(guests, "x86_64", "variants"), "chosen"], tunables(hwcaps, True), WIDE_MODEL)
    for build in "musl", "musl-i386":
        program = os.path.join(guests, build, "variants")
        yield "%s variants" % build, build, [program, "chosen"], tunables("", False), None
    for build, settings in LIBM.items():
        for hwcaps in settings:
            yield ("%s libm %s" % (build, hwcaps), build, [os.path.join(guests, build, "libm"), str(count)],
                   tunables(hwcaps, False), None)


class Seen:
    """What the emulated runs have printed: the variants chosen and those run by name, the calls of libm."""

    def __init__(self, guests):
        self.guests, self.chosen, self.direct, self.calls = guests, {}, {}, 0

    def add(self, build, argv, out):
        text = out.decode("latin-1")
        if argv[1:2] == ["chosen"]:
            self.chosen.setdefault(build, set()).update(re.findall(r"^chosen \S+ (\w+)$", text, re.M))
        elif argv[1:2] == ["direct"]:
            self.direct.setdefault(build, set()).update(re.findall(r"^(\w+)", text, re.M))
        else:
            self.calls += sum(int(n) for n in re.findall(r"^(\d+) calls$", text, re.M))

    def judge(self, unchosen):
        """unchosen: the file of variants that nothing chooses. -> (notes, what is wrong)"""
        notes, wrong = [], []
        with open(unchosen) as f:
            listed = {tuple(line.split()[:2]) for line in f if line.strip() and line[0] != "#"}
        for build in STRINGS:
            at = {}
            program = os.path.join(self.guests, build, "variants")
            said = subprocess.run(["nm", program], stdout=subprocess.PIPE, text=True, check=True).stdout
            for address, name in re.findall(r"^0*([0-9a-f]+) [tTwW] (\w+)$", said, re.M):
                at.setdefault(address, set()).add(name)
            names = {name for same in at.values() for name in same if VARIANT.match(name)}
            runs = names & self.direct[build]
            # Those without a name outside of their file cannot be run by it: they must be chosen.
            local = set(re.findall(r"^[0-9a-f]+ t (\w+)$", said, re.M)) & names
            chosen = {name for address in self.chosen[build] for name in at.get(address, ())}
            excused = {name for arch, name in listed if arch == build}
            for name in sorted((runs | local) - chosen - excused):
                wrong.append("%s %s: no setting has chosen it" % (build, name))
            for name in sorted(excused & chosen | excused - names):
                wrong.append("%s %s: chosen, or not there; but %s lists it" % (build, name, unchosen))
            notes.append("%s: %d of %d variants run by name, %d chosen by an IFUNC" %
                         (build, len(runs), len(names), len(names & chosen)))
        notes.append("libm: %d calls" % self.calls)
        return notes, wrong
