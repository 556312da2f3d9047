# awk -f tables.awk JUDGED DOC: DOC with the rows of JUDGED, sorted as there, between its marks
# "<!-- judged: ORACLE -->" and "<!-- end -->".
FNR == NR {
  if ($0 == "" || /^#/) next
  split($0, f, / \| /)
  who = f[4] == "vectors" ? "the vectors: " : "open: "
  gsub(/, /, "`, `", f[2])
  gsub(/\|/, "\\|", f[2])
  split(f[1], o, " ")
  also = o[1] != "bochs" && f[1] ~ /bochs/ ? " (Bochs too)" : ""
  line = "| " f[3] also " | `" f[2] "` | " who f[5] " |"
  rows[o[1]] = rows[o[1]] line "\n"
  next
}
/^<!-- judged: .* -->$/ {
  print
  printf "| does | in | who is right |\n|---|---|---|\n%s", rows[$3]
  skip = 1
  next
}
/^<!-- end -->$/ { skip = 0 }
!skip
