/* What a command prints, once for people and once for programs: the same calls write text, or one JSON object a
 * command on one line. Text carries labels and layout; JSON has the names. Addresses and 64-bit values are JSON strings
 * of hexadecimal digits ("0x401000"), as in explain/json.c.
 *
 *     out_open(o, "entry");                        // {           (text: nothing)
 *     out_text(o, "%02x  ", n);                    //             only text
 *     out_num(o, "index", n, NULL);                // "index":n   (format NULL: no text)
 *     out_hex(o, "base", base, "base %016llx  ");  // "base":"0x.."
 *     out_str(o, "type", name, "%s\n");            // "type":".."
 *     out_close(o);                                // }
 */
#ifndef DEBUGGER_OUT_H
#define DEBUGGER_OUT_H

#include <stdio.h>

#include "base/types.h"

struct out;

/* Writes to f. json: one line for each out_begin()..out_end(). NULL: out of memory. */
MUST_CHECK struct out *out_create(FILE *f, bool json);
void out_destroy(struct out *o);
FILE *out_file(struct out *o);
/* Both between commands only. */
void out_set_file(struct out *o, FILE *f);
void out_set_json(struct out *o, bool json);
bool out_json(const struct out *o);
/* Marks and colours in text: on for a terminal. */
void out_set_colour(struct out *o, bool on);

/* One command's answer: JSON's outermost object, {"event":event,...}. Nothing is written to f before out_end(), in JSON;
 * text goes out at once. Inside another answer it is a part of that: a member named by its event, or an element of the
 * list around it, with its own "event". event NULL: the outermost takes the first one that a part brings. event "error":
 * an answer that is written only if out_error() comes. */
void out_begin(struct out *o, const char *event);
void out_end(struct out *o);

/* name NULL: an element of the list around it. A name that the object has already gets a number: "x", "x_2". */
void out_open(struct out *o, const char *name);       /* an object */
void out_open_list(struct out *o, const char *name);
void out_close(struct out *o);

void out_text(struct out *o, const char *fmt, ...) PRINTF_LIKE(2, 3); /* text only */
/* format: how text shows it (NULL: not at all), with one conversion for an unsigned long long, or for a string.
 * A number above 2^53, which JSON readers round, becomes a string of hexadecimal digits. */
void out_num(struct out *o, const char *name, u64 v, const char *format);
void out_hex(struct out *o, const char *name, u64 v, const char *format);
void out_str(struct out *o, const char *name, const char *s, const char *format);
void out_bool(struct out *o, const char *name, bool v, const char *text_if_true);
/* Text that the caller has as a whole, such as an explanation; in JSON a string. */
void out_block(struct out *o, const char *name, const char *text);
/* JSON that the caller has as a whole (one object, from explain_json()); not in text. What is no JSON is a string. */
void out_raw_json(struct out *o, const char *name, const char *json);

/* An error of a command: one line, "ringwalk: ...", in text; in JSON the whole answer, or of a part that part, becomes
 * {"event":"error","command":event,"message":..}. Of an answer, and of each part, the first counts. */
void out_error(struct out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Has there been an error in the answer or part in progress, or in its parts? Behind out_end(): in the last answer. */
bool out_failed(const struct out *o);

/* Marks the object that was just opened as changed since the last stop: "changed":true in JSON. In text one character,
 * '*' or ' '; on a terminal ' ', and what follows is bold up to out_close(). */
void out_changed(struct out *o, bool changed);

#endif
