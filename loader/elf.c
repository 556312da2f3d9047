/* Reads ELF executables of i386 and x86_64: System V gABI chapter 5 (Program Loading and Dynamic Linking),
 * with the judgement of Linux's fs/binfmt_elf.c. Headers are read here and not by libelf, because Linux looks
 * at fewer of their fields than libelf insists on, and because each refusal has its own message. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/loader.h"
#include "loader/refuse.h"

/* Linux refuses a program header table that is larger. */
#define PHDRS_MAX_BYTES 65536u

/* EM_486 in Linux, which takes it for i386; the C library has another name for it. */
#define EM_LINUX_486 6

struct loading {
  struct image *img;
  struct complaint c;
  Elf64_Ehdr eh;
  Elf64_Phdr *ph; /* eh.e_phnum of them */
  bool header_short; /* the file ends inside the ELF header */
};

static u64 page_down(u64 a) { return a & ~(LDR_PAGE - 1); }
static u64 page_up(u64 a) { return page_down(a + LDR_PAGE - 1); }
static u64 min_u64(u64 a, u64 b) { return a < b ? a : b; }

#define fail(l, code, ...) ldr_complain(&(l)->c, code, __VA_ARGS__)

int ldr_read(const struct image *img, u64 off, void *buf, size_t n) {
  if (off > img->size || n > img->size - off) return -EIO;
  if (img->mem) {
    if (n) memcpy(buf, img->mem + off, n);
    return 0;
  }
  for (u8 *p = buf; n;) {
    ssize_t got = pread(img->fd, p, n, (off_t)off);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -EIO; /* the file has become shorter since it was opened */
    p += got;
    off += (u64)got;
    n -= (size_t)got;
  }
  return 0;
}

/* --- Headers --- */

/* An ELF32 header in the fields of the ELF64 one. */
static void widen_ehdr(Elf64_Ehdr *to, const Elf32_Ehdr *e) {
  to->e_type = e->e_type;
  to->e_machine = e->e_machine;
  to->e_entry = e->e_entry;
  to->e_phoff = e->e_phoff;
  to->e_phentsize = e->e_phentsize;
  to->e_phnum = e->e_phnum;
}

static void widen_phdr(Elf64_Phdr *to, const Elf32_Phdr *p) {
  *to = (Elf64_Phdr){.p_type = p->p_type,
                     .p_flags = p->p_flags,
                     .p_offset = p->p_offset,
                     .p_vaddr = p->p_vaddr,
                     .p_paddr = p->p_paddr,
                     .p_filesz = p->p_filesz,
                     .p_memsz = p->p_memsz,
                     .p_align = p->p_align};
}

COLD static int refuse_short(struct loading *l, size_t need) {
  return fail(l, ENOEXEC, "truncated: ELF header ends at byte %zu, file has %" PRIu64 "; copy it again", need,
              l->img->size);
}

/* The machine decides the width, as on Linux, not e_ident's class. */
static int read_ehdr(struct loading *l) {
  struct image *img = l->img;
  u8 head[256] = {0};
  size_t n = (size_t)min_u64(img->size, sizeof head);
  if (ldr_read(img, 0, head, n)) return fail(l, EIO, "cannot read its first %zu bytes; copy it again", n);
  if (n < SELFMAG || memcmp(head, ELFMAG, SELFMAG)) return ldr_refuse_not_elf(&l->c, head, n);
  memcpy(l->eh.e_ident, head, EI_NIDENT);

  /* As on Linux, what the file lacks of a header is zero. */
  u16 machine = 0;
  memcpy(&machine, head + offsetof(Elf64_Ehdr, e_machine), sizeof machine);
  size_t need = machine == EM_X86_64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
  l->header_short = n < need;
  if (n < offsetof(Elf64_Ehdr, e_version)) return refuse_short(l, need);
  if (machine == EM_X86_64) {
    img->bits = 64;
    memcpy(&l->eh, head, sizeof l->eh);
  } else if (machine == EM_386 || machine == EM_LINUX_486) {
    Elf32_Ehdr e32;
    memcpy(&e32, head, sizeof e32);
    img->bits = 32;
    widen_ehdr(&l->eh, &e32);
  } else {
    return ldr_refuse_machine(&l->c, machine, head[EI_DATA] == ELFDATA2MSB);
  }
  if (l->eh.e_type != ET_EXEC && l->eh.e_type != ET_DYN) return ldr_refuse_type(&l->c, l->eh.e_type);
  img->pie = l->eh.e_type == ET_DYN;
  img->entry = l->eh.e_entry;
  img->osabi = head[EI_OSABI]; /* which Linux does not look at */
  return 0;
}

COLD static int refuse_phentsize(struct loading *l, size_t want) {
  u8 class = l->eh.e_ident[EI_CLASS];
  if (l->img->bits == 64 && class == ELFCLASS32)
    return fail(l, ENOEXEC, "x32 program (64-bit mode, 32-bit pointers): not supported; build with -m64");
  if (l->img->bits == 32 && class == ELFCLASS64)
    return fail(l, ENOEXEC, "damaged: machine i386 in a 64-bit ELF file; build it again");
  return fail(l, ENOEXEC, "damaged: program headers of %u bytes each, they must have %zu; build it again",
              l->eh.e_phentsize, want);
}

static int read_phdrs(struct loading *l) {
  struct image *img = l->img;
  size_t ent = img->bits == 64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
  unsigned num = l->eh.e_phnum;
  if (l->header_short && (l->eh.e_phentsize != ent || !num))
    return refuse_short(l, img->bits == 64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
  if (l->eh.e_phentsize != ent) return refuse_phentsize(l, ent);
  if (!num) return fail(l, ENOEXEC, "no program headers: nothing to load; link it as an executable");
  if (num * ent > PHDRS_MAX_BYTES)
    return fail(l, ENOEXEC, "%u program headers, Linux allows %zu; link it with fewer segments", num,
                PHDRS_MAX_BYTES / ent);
  u64 off = l->eh.e_phoff, bytes = num * ent;
  if (off > img->size || bytes > img->size - off)
    return fail(l, ENOEXEC, "truncated: %" PRIu64 " bytes of program headers at byte %" PRIu64
                ", file has %" PRIu64 "; copy it again", bytes, off, img->size);

  img->phent = (u16)ent;
  img->phnum = (u16)num;
  /* Read to the start, then widened from the last one down: the wide form never overtakes the narrow. */
  l->ph = calloc(num, sizeof *l->ph);
  if (!l->ph) return fail(l, ENOMEM, "no memory for its program headers");
  if (ldr_read(img, off, l->ph, bytes)) return fail(l, EIO, "cannot read its program headers; copy it again");
  if (img->bits == 64) return 0;
  for (unsigned i = num; i-- > 0;) {
    Elf32_Phdr p;
    memcpy(&p, (u8 *)l->ph + i * sizeof p, sizeof p);
    widen_phdr(&l->ph[i], &p);
  }
  return 0;
}

/* --- Segments --- */

/* Is what the file lacks of this segment needed to start the program: the page of the first instruction, or
 * one of which the part behind the file's bytes is to be cleared? Linux kills it in both cases. */
static bool cut_short(const struct loading *l, const Elf64_Phdr *p) {
  u64 have = page_up(l->img->size), at = l->img->entry - p->p_vaddr, file_end = p->p_vaddr + p->p_filesz;
  if (at < p->p_filesz && page_down(p->p_offset + at) >= have) return true;
  return p->p_memsz > p->p_filesz && (p->p_flags & PF_W) && (file_end & (LDR_PAGE - 1)) &&
         page_down(p->p_offset + p->p_filesz) >= have;
}

static int check_segment(struct loading *l, unsigned i, const Elf64_Phdr *p) {
  /* Below the last page, so that rounding up cannot wrap. */
  u64 top = (l->img->bits == 64 ? UINT64_MAX : UINT32_MAX) - (LDR_PAGE - 1);
  u64 vaddr = p->p_vaddr, memsz = p->p_memsz, off = p->p_offset, filesz = p->p_filesz, have = l->img->size;
  if (filesz > memsz)
    return fail(l, EINVAL, "damaged: segment %u has %" PRIu64 " bytes in the file and only %" PRIu64
                " in memory; build it again", i, filesz, memsz);
  if (vaddr > top || memsz > top - vaddr)
    return fail(l, EINVAL, "damaged: segment %u, %#" PRIx64 " bytes at %#" PRIx64
                ", wraps around the address space; build it again", i, memsz, vaddr);
  if (!filesz) return 0;
  if ((vaddr ^ off) & (LDR_PAGE - 1))
    return fail(l, EINVAL, "misaligned: segment %u has address %#" PRIx64 " and file offset %#" PRIx64
                ", which differ within the page; link it for 4096-byte pages", i, vaddr, off);
  /* Linux maps what the file does not have, and a program may never look there. */
  u64 end = off + filesz < off ? UINT64_MAX : off + filesz;
  if (filesz > INT64_MAX - LDR_PAGE || off > INT64_MAX - LDR_PAGE - filesz)
    return fail(l, EINVAL, "damaged: segment %u ends at byte %" PRIu64
                ", beyond the end of every file; build it again", i, end);
  if (end > page_up(have) && cut_short(l, p))
    return fail(l, ENOEXEC, "truncated: segment %u ends at byte %" PRIu64 ", file has %" PRIu64
                "; copy it again", i, end, have);
  return 0;
}

/* Into file pages, the rest of the last of them, and zero pages, as Linux's elf_load does. */
static void split_segment(struct ldr_segment *s) {
  u64 file_end = s->vaddr + s->filesz;
  s->file_lo = s->file_hi = s->zero_lo = s->zero_hi = page_down(s->vaddr);
  if (s->filesz) {
    s->file_hi = page_up(file_end);
    s->file_off = page_down(s->offset);
  }
  s->anon_lo = s->anon_hi = s->file_hi;
  if (s->memsz == s->filesz) return;
  s->anon_hi = page_up(s->vaddr + s->memsz);
  s->anon_flags = (u8)(LDR_R | LDR_W | (s->flags & LDR_X));
  if (s->filesz && (s->flags & LDR_W)) {
    s->zero_lo = file_end;
    s->zero_hi = s->file_hi;
  }
}

static int add_segment(struct loading *l, unsigned i, const Elf64_Phdr *p) {
  struct image *img = l->img;
  int e = check_segment(l, i, p);
  if (e) return e;
  struct ldr_segment *s = &img->seg[img->nseg++];
  *s = (struct ldr_segment){.vaddr = p->p_vaddr,
                            .memsz = p->p_memsz,
                            .offset = p->p_offset,
                            .filesz = p->p_filesz,
                            .align = p->p_align,
                            .flags = p->p_flags & (LDR_R | LDR_W | LDR_X),
                            .index = (u16)i};
  split_segment(s);

  if (img->nseg == 1 || img->lo > page_down(s->vaddr)) img->lo = page_down(s->vaddr);
  if (img->hi < s->vaddr + s->memsz) img->hi = s->vaddr + s->memsz;
  /* An alignment that is no power of two is invalid; Linux then acts as if there were none. */
  if (p->p_align > img->align && !(p->p_align & (p->p_align - 1))) img->align = p->p_align;
  /* Linux looks for the file offset and not for PT_PHDR; the last segment that holds it wins. */
  u64 phoff = l->eh.e_phoff;
  if (p->p_offset <= phoff && phoff - p->p_offset < p->p_filesz) img->phdr = phoff - p->p_offset + p->p_vaddr;
  return 0;
}

static int read_interp(struct loading *l, const Elf64_Phdr *p) {
  struct image *img = l->img;
  if (img->interp) return 0; /* the first counts */
  if (p->p_filesz < 2 || p->p_filesz > PATH_MAX)
    return fail(l, ENOEXEC, "damaged: interpreter's name of %" PRIu64 " bytes; build it again", p->p_filesz);
  img->interp = calloc(1, p->p_filesz);
  if (!img->interp) return fail(l, ENOMEM, "no memory for its interpreter's name");
  if (ldr_read(img, p->p_offset, img->interp, p->p_filesz))
    return fail(l, EIO, "truncated: interpreter's name, %" PRIu64 " bytes at byte %" PRIu64
                ", file has %" PRIu64 "; copy it again", p->p_filesz, p->p_offset, img->size);
  if (img->interp[p->p_filesz - 1])
    return fail(l, ENOEXEC, "damaged: interpreter's name does not end in a zero byte; build it again");
  return 0;
}

static void add_tls(struct image *img, const Elf64_Phdr *p) {
  img->tls = (struct ldr_tls){.present = true,
                              .vaddr = p->p_vaddr,
                              .memsz = p->p_memsz,
                              .offset = p->p_offset,
                              .filesz = p->p_filesz,
                              .align = p->p_align};
}

static int read_segments(struct loading *l) {
  struct image *img = l->img;
  img->seg = calloc(img->phnum, sizeof *img->seg);
  if (!img->seg) return fail(l, ENOMEM, "no memory for its segments");
  img->align = LDR_PAGE;
  for (unsigned i = 0; i < img->phnum; i++) {
    const Elf64_Phdr *p = &l->ph[i];
    int e = 0;
    switch (p->p_type) {
    case PT_LOAD: e = add_segment(l, i, p); break;
    case PT_INTERP: e = read_interp(l, p); break;
    case PT_TLS: add_tls(img, p); break;
    case PT_GNU_STACK: /* the last counts */
      img->stack = p->p_flags & PF_X ? LDR_STACK_EXEC : LDR_STACK_NOEXEC;
      break;
    default: break; /* Linux passes over the others */
    }
    if (e) return e;
  }
  if (!img->nseg) return fail(l, ENOEXEC, "no PT_LOAD segment: nothing to load; link it as an executable");
  img->brk = page_up(img->hi);
  img->span = img->brk - img->lo;
  return 0;
}

/* Everything after the bytes are within reach. */
static int load(struct loading *l) {
  int e = read_ehdr(l);
  if (!e) e = read_phdrs(l);
  if (!e) e = read_segments(l);
  if (!e && l->img->interp) e = ldr_refuse_dynamic(&l->c, l->img->interp);
  free(l->ph);
  return e;
}

/* --- The interface --- */

static int open_file(struct loading *l, const char *path) {
  struct stat st;
  /* Without O_NONBLOCK, opening a FIFO waits for a writer. */
  int fd = l->img->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0 && errno == ENOENT) return fail(l, ENOENT, "no such file; check its name");
  if (fd < 0) return fail(l, errno, "cannot open it: %m");
  if (fstat(fd, &st)) return fail(l, errno, "cannot stat it: %m");
  if (S_ISDIR(st.st_mode)) return fail(l, EACCES, "is a directory; name a program");
  if (!S_ISREG(st.st_mode)) return fail(l, EACCES, "is not a regular file; name a program");
  l->img->size = st.st_size < 0 ? 0 : (u64)st.st_size;
  l->img->dev = st.st_dev;
  l->img->ino = st.st_ino;
  return 0;
}

int ldr_open(const char *path, struct image *img, char *err, size_t errsz) {
  struct loading l = {.img = img, .c = {path, err, errsz}};
  *img = (struct image){.fd = -1, .name = strdup(path)};
  int e = img->name ? open_file(&l, path) : fail(&l, ENOMEM, "no memory for its name");
  if (!e) e = load(&l);
  /* Last, so that an object file is told what it is rather than that it may not run. */
  if (!e && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
    e = fail(&l, EACCES, "no permission to execute it; chmod +x it");
  if (e) ldr_close(img);
  return e;
}

int ldr_from_memory(const void *buf, size_t n, const char *name, struct image *img, char *err, size_t errsz) {
  struct loading l = {.img = img, .c = {name, err, errsz}};
  *img = (struct image){.fd = -1, .mem = buf, .size = n, .name = strdup(name)};
  int e = img->name ? load(&l) : fail(&l, ENOMEM, "no memory for its name");
  if (e) ldr_close(img);
  return e;
}

void ldr_close_file(struct image *img) {
  if (img->fd >= 0) close(img->fd);
  img->fd = -1;
}

void ldr_close(struct image *img) {
  ldr_close_file(img);
  free(img->name);
  free(img->seg);
  free(img->interp);
  free(img->sym);
  free(img->strings);
  *img = (struct image){.fd = -1};
}

int ldr_check_range(const struct image *img, u64 bias, u64 limit, char *err, size_t errsz) {
  struct complaint c = {img->name, err, errsz};
  u64 room = bias < limit ? limit - bias : 0;
  for (unsigned i = 0; i < img->nseg; i++) {
    const struct ldr_segment *s = &img->seg[i];
    if (s->vaddr >= room || s->memsz > room - s->vaddr)
      return ldr_complain(&c, EINVAL, "segment %u, %#" PRIx64 " bytes at %#" PRIx64
                          ", lies beyond the user's addresses, which end at %#" PRIx64 "; link it lower",
                          s->index, s->memsz, s->vaddr + bias, limit);
  }
  if (img->entry >= room)
    return ldr_complain(&c, EINVAL, "entry point %#" PRIx64 " lies beyond the user's addresses, which end at "
                        "%#" PRIx64 "; build it again", img->entry + bias, limit);
  return 0;
}

u64 ldr_bias(const struct image *img, u64 base) {
  if (!img->pie || base < img->lo) return 0;
  return (base - img->lo) & ~(img->align - 1);
}
