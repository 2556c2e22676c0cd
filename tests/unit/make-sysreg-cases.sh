#!/bin/sh
# Writes the table of test_sysreg.c to stdout: every register of hv/abi/sysreg.def and hv/abi/fingerprint.def, and
# those that hv/arch/sysreg.h names by encoding, assembled once by name and once by the encoding in the list. The
# toolchain is the oracle for what a name means.
#
# usage: make-sysreg-cases.sh >BUILD/tests/unit/sysreg_cases.h     (from anywhere)
# AS and OBJCOPY name the AArch64 binutils. Fails, and prints no table, if a name does not assemble.
set -eu

AS=${AS:-aarch64-linux-gnu-as}
OBJCOPY=${OBJCOPY:-aarch64-linux-gnu-objcopy}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# list: "NAME GENERIC DIRECTION" for each register; a register that cannot be read is assembled as a write.
list()
{
	sed -n 's/^\(SYSREG\|STORED\)(\([A-Z0-9_]*\), \([0-9]*\), \([0-9]*\), \([0-9]*\), \([0-9]*\), \([0-9]*\), \([A-Za-z_]*\),.*/\2 S\3_\4_C\5_C\6_\7 \8/p' \
		"$root/hv/abi/sysreg.def" | sed 's/ sysreg_no_read$/ write/; s/ \(read_[a-z_]*\|[A-Z]*\)$/ read/'
	sed -n 's/^FINGERPRINT(\([A-Z0-9_]*\), \([0-9]*\), \([0-9]*\), \([0-9]*\), \([0-9]*\)).*/\1 S3_\2_C\3_C\4_\5 read/p' \
		"$root/hv/abi/fingerprint.def"
	sed -n 's/^#define \([A-Z0-9_]*\) *\(S[0-9_C]*\)$/\1 \2 read/p' "$root/hv/arch/sysreg.h" |
		sed 's/^\(ICC_EOIR1_EL1\|ICC_DIR_EL1\) \(.*\) read$/\1 \2 write/'
}

# assemble: from lines "REGISTER DIRECTION" on stdin to words, one a line, in hexadecimal.
assemble()
{
	sed 's/^\([^ ]*\) read$/mrs x1, \1/; s/^\([^ ]*\) write$/msr \1, x1/' >"$work/in.s"
	"$AS" -march=armv8.6-a+sve "$work/in.s" -o "$work/out.o"
	"$OBJCOPY" -O binary -j .text "$work/out.o" "$work/out.bin"
	od -An -v -tx4 -w4 "$work/out.bin" | tr -d ' '
}

list >"$work/list"
rows=$(cat "$root/hv/abi/sysreg.def" "$root/hv/abi/fingerprint.def" "$root/hv/arch/sysreg.h" |
	grep -c -E '^(SYSREG\(|STORED\(|FINGERPRINT\(|#define [A-Z0-9_]+ +S[0-9]_)')
if [ "$(wc -l <"$work/list")" -ne "$rows" ]; then
	echo "make-sysreg-cases.sh: not every row of the lists was understood" >&2
	exit 1
fi
cut -d' ' -f1,3 "$work/list" | assemble >"$work/named"
cut -d' ' -f2,3 "$work/list" | assemble >"$work/generic"

echo '/* Made by make-sysreg-cases.sh. */'
echo 'static const struct sysreg_case cases[] = {'
cut -d' ' -f1,3 "$work/list" | paste -d' ' - "$work/named" "$work/generic" | while read -r name direction named generic; do
	printf '\t{"%s", "%s", 0x%s, 0x%s},\n' "$name" "$direction" "$named" "$generic"
done
echo '};'
