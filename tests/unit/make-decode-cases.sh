#!/bin/sh
# Writes the table of test_decode.c to stdout: loads and stores as assembly text with the fields that the text itself
# says, and the words that the assembler makes of them. The toolchain is the oracle for the encodings.
#
# usage: make-decode-cases.sh >BUILD/tests/unit/decode_cases.h
# AS and OBJCOPY name the AArch64 binutils. Fails, and prints no table, if an instruction does not assemble.
set -eu

AS=${AS:-aarch64-linux-gnu-as}
OBJCOPY=${OBJCOPY:-aarch64-linux-gnu-objcopy}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# accept TEXT FIELDS: one instruction and the C initializers of its struct decode_access.
accept()
{
	printf '%s\n' "$1" >>"$work/accepted.s"
	printf '"%s", {%s}\n' "$1" "$2" >>"$work/accepted.rows"
}

# numbers: sets rt, rt2, rn, rm to other register numbers at each call, no two alike.
turn=0
numbers()
{
	turn=$((turn + 1))
	rt=$((turn * 3 % 8))
	rt2=$((8 + turn * 5 % 7))
	rn=$((16 + turn % 7))
	rm=$((23 + turn * 3 % 7))
}

# single_forms LOAD REGISTER SIZE BITS FIELDS: every addressing form of one transfer; LOAD is ldr, strb, …
single_forms()
{
	name=$1 reg=$2 size=$3 common=".count = 1, .size = $3, .register_bits = $4, $5"
	unscaled=$(printf %s "$name" | sed 's/^\(ld\|st\)r/\1ur/')
	unprivileged=$(printf %s "$name" | sed 's/^\(ld\|st\)r/\1tr/')
	scale=$(case $size in 1) echo 0 ;; 2) echo 1 ;; 4) echo 2 ;; 8) echo 3 ;; 16) echo 4 ;; esac)

	for offset in 0 "$size" $((4095 * size)); do
		numbers
		accept "$name $reg$rt, [x$rn, #$offset]" "$common .rt = $rt, .rn = $rn, .offset = $offset"
	done
	numbers
	accept "$name $reg$rt, [sp, #$((size * 16))]" "$common .rt = $rt, .rn = 31, .offset = $((size * 16))"
	for offset in -256 -1 255; do
		numbers
		where=".rt = $rt, .rn = $rn, .offset = $offset"
		accept "$unscaled $reg$rt, [x$rn, #$offset]" "$common $where"
		accept "$name $reg$rt, [x$rn], #$offset" "$common $where, .writeback = true, .post_index = true"
		accept "$name $reg$rt, [x$rn, #$offset]!" "$common $where, .writeback = true"
		case $reg in
		w | x) accept "$unprivileged $reg$rt, [x$rn, #$offset]" "$common $where" ;;
		esac
	done
	for extend in w:uxtw:UXTW w:sxtw:SXTW x:lsl:UXTX x:sxtx:SXTX; do
		index=${extend%%:*} how=${extend#*:}
		for amount in none "$scale"; do
			numbers
			where=".rt = $rt, .rn = $rn, .rm = $rm, .has_register_offset = true"
			where="$where, .extend = DECODE_EXTEND_${how#*:}"
			case $amount:${how%:*} in
			none:lsl) suffix='' ;;
			none:*) suffix=", ${how%:*}" ;;
			*) suffix=", ${how%:*} #$amount" where="$where, .shift = $amount" ;;
			esac
			accept "$name $reg$rt, [x$rn, $index$rm$suffix]" "$common $where"
		done
	done
}

# pair_forms LOAD REGISTER SIZE BITS FIELDS: every addressing form of one pair; LOAD is ldp, stp or ldpsw.
pair_forms()
{
	name=$1 reg=$2 size=$3 common=".count = 2, .size = $3, .register_bits = $4, $5"

	for offset in $((-64 * size)) "$size" $((63 * size)); do
		numbers
		where=".rt = $rt, .rt2 = $rt2, .rn = $rn, .offset = $offset"
		accept "$name $reg$rt, $reg$rt2, [x$rn, #$offset]" "$common $where"
		accept "$name $reg$rt, $reg$rt2, [x$rn], #$offset" "$common $where, .writeback = true, .post_index = true"
		accept "$name $reg$rt, $reg$rt2, [x$rn, #$offset]!" "$common $where, .writeback = true"
		if [ "$name" != ldpsw ]; then
			accept "${name%p}np $reg$rt, $reg$rt2, [x$rn, #$offset]" "$common $where"
		fi
	done
}

store='.is_write = true,'
signed='.sign_extend = true,'
simd='.is_simd = true,'

single_forms strb w 1 32 "$store"
single_forms ldrb w 1 32 ''
single_forms ldrsb w 1 32 "$signed"
single_forms ldrsb x 1 64 "$signed"
single_forms strh w 2 32 "$store"
single_forms ldrh w 2 32 ''
single_forms ldrsh w 2 32 "$signed"
single_forms ldrsh x 2 64 "$signed"
single_forms str w 4 32 "$store"
single_forms ldr w 4 32 ''
single_forms ldrsw x 4 64 "$signed"
single_forms str x 8 64 "$store"
single_forms ldr x 8 64 ''
for row in b:1 h:2 s:4 d:8 q:16; do
	single_forms str "${row%:*}" "${row#*:}" 128 "$simd $store"
	single_forms ldr "${row%:*}" "${row#*:}" 128 "$simd"
done

pair_forms stp w 4 32 "$store"
pair_forms ldp w 4 32 ''
pair_forms ldpsw x 4 64 "$signed"
pair_forms stp x 8 64 "$store"
pair_forms ldp x 8 64 ''
for row in s:4 d:8 q:16; do
	pair_forms stp "${row%:*}" "${row#*:}" 128 "$simd $store"
	pair_forms ldp "${row%:*}" "${row#*:}" 128 "$simd"
done

for row in b:w:1:32 h:w:2:32 :w:4:32 :x:8:64; do
	width=${row%%:*} rest=${row#*:}
	reg=${rest%%:*} rest=${rest#*:}
	common=".count = 1, .size = ${rest%:*}, .register_bits = ${rest#*:},"
	for name in stlr stllr ldar ldlar ldapr; do
		numbers
		direction=$(case $name in st*) echo "$store" ;; esac)
		accept "$name$width $reg$rt, [x$rn]" "$common $direction .rt = $rt, .rn = $rn"
	done
	for offset in -256 0 255; do
		numbers
		where=".rt = $rt, .rn = $rn, .offset = $offset"
		accept "stlur$width $reg$rt, [x$rn, #$offset]" "$common $store $where"
		accept "ldapur$width $reg$rt, [x$rn, #$offset]" "$common $where"
	done
done
common=".count = 1, .sign_extend = true, .rt = 3, .rn = 4, .offset = -8,"
accept "ldapursb w3, [x4, #-8]" "$common .size = 1, .register_bits = 32"
accept "ldapursb x3, [x4, #-8]" "$common .size = 1, .register_bits = 64"
accept "ldapursh w3, [x4, #-8]" "$common .size = 2, .register_bits = 32"
accept "ldapursh x3, [x4, #-8]" "$common .size = 2, .register_bits = 64"
accept "ldapursw x3, [x4, #-8]" "$common .size = 4, .register_bits = 64"

for offset in -1048576 -4 0 1048572; do
	numbers
	where=".count = 1, .is_literal = true, .rt = $rt, .offset = $offset"
	accept "ldr w$rt, . + $offset" "$where, .size = 4, .register_bits = 32"
	accept "ldr x$rt, . + $offset" "$where, .size = 8, .register_bits = 64"
	accept "ldrsw x$rt, . + $offset" "$where, .size = 4, .register_bits = 64, .sign_extend = true"
	accept "ldr s$rt, . + $offset" "$where, .size = 4, .register_bits = 128, .is_simd = true"
	accept "ldr d$rt, . + $offset" "$where, .size = 8, .register_bits = 128, .is_simd = true"
	accept "ldr q$rt, . + $offset" "$where, .size = 16, .register_bits = 128, .is_simd = true"
done

# Register 31 is SP as a base and XZR elsewhere, so these use no register twice.
where=".rt = 31, .rn = 31, .writeback = true"
accept "str xzr, [sp, #-16]!" "$where, .is_write = true, .count = 1, .size = 8, .register_bits = 64, .offset = -16"
accept "ldr xzr, [sp], #16" "$where, .post_index = true, .count = 1, .size = 8, .register_bits = 64, .offset = 16"
accept "stp xzr, x30, [sp, #-32]!" \
	"$where, .rt2 = 30, .is_write = true, .count = 2, .size = 8, .register_bits = 64, .offset = -32"
# The same number in another register file, or stored twice, is fine too.
where=".rt = 5, .rn = 5, .writeback = true, .post_index = true, .offset = 16"
accept "ldr q5, [x5], #16" "$where, .is_simd = true, .count = 1, .size = 16, .register_bits = 128"
accept "stp x5, x5, [x6]" ".rt = 5, .rt2 = 5, .rn = 6, .is_write = true, .count = 2, .size = 8, .register_bits = 64"
accept "ldr x5, [x5, #8]" ".rt = 5, .rn = 5, .count = 1, .size = 8, .register_bits = 64, .offset = 8"

cat >"$work/refused.s" <<'EOF'
ldxr x0, [x1]
ldaxrb w0, [x1]
stxr w0, x1, [x2]
stlxrh w0, w1, [x2]
ldxp x0, x1, [x2]
stlxp w0, x1, x3, [x2]
cas x0, x1, [x2]
casalb w0, w1, [x2]
casp x0, x1, x2, x3, [x4]
ldadd x0, x1, [x2]
ldclralh w0, w1, [x2]
ldsmax w0, w1, [x2]
stadd x0, [x2]
swp x0, x1, [x2]
swpalb w0, w1, [x2]
prfm pldl1keep, [x0]
prfm pstl2strm, [x0, x1, lsl #3]
prfum pldl1keep, [x0, #-8]
prfm pldl1keep, . + 64
ldraa x0, [x1]
ldrab x0, [x1, #8]!
ldg x0, [x1]
stg x0, [x1]
st2g x0, [x1], #16
stzg x0, [x1]
stgp x0, x1, [x2]
stgp x0, x1, [x2], #32
stgp x0, x1, [x2, #32]!
ld1 {v0.16b}, [x1]
st1 {v0.4s, v1.4s}, [x1], #32
ld1r {v0.2d}, [x1]
st4 {v0.b, v1.b, v2.b, v3.b}[3], [x1]
dc zva, x0
dc civac, x0
at s1e1r, x0
nop
ret
b .
add x0, x1, x2
mov x0, #1
fadd d0, d1, d2
add v0.4s, v1.4s, v2.4s
mrs x0, midr_el1
svc #0
.inst 0x00000000
.inst 0xffffffff
.inst 0xf8c00000             /* LDURS to 32 bits of 64 */
.inst 0xf8800400             /* opc 2 of size 3, post-index */
.inst 0x7cc00000             /* LDUR of a V register with opc 3 and size 1 */
.inst 0x3c000800             /* unprivileged store of a V register */
.inst 0xb8a12800             /* register offset with option 1 */
.inst 0xe8000000             /* pair with opc 3 */
.inst 0x68400000             /* LDNP with opc 1 */
.inst 0xdc000000             /* literal V register with opc 3 */
.inst 0x38a0c000             /* LDAPRB with Rs not 31 */
.inst 0x88c0fc00             /* LDAR with Rs not 31 */
.inst 0x88dfe000             /* LDAR with Rt2 not 31 */
.inst 0x88ffffff             /* the compare-and-swap beside LDAR */
EOF

cat >"$work/unpredictable.s" <<'EOF'
ldr x5, [x5], #8
ldr x5, [x5, #8]!
strb w5, [x5], #1
str x30, [x30, #8]!
ldp x5, x6, [x5], #16
ldp x5, x6, [x6, #16]!
stp x5, x6, [x6], #16
ldpsw x5, x6, [x6], #8
ldp x5, x5, [x6]
ldnp w5, w5, [x6]
ldp q5, q5, [x6]
EOF
cat "$work/unpredictable.s" >>"$work/refused.s"

# words NAME: the words of NAME.s, one a line.
words()
{
	"$AS" -march=armv8.5-a+memtag --no-warn -o "$work/$1.o" "$work/$1.s"
	"$OBJCOPY" -O binary -j .text "$work/$1.o" "$work/$1.bin"
	od -An -v -w4 -tx4 "$work/$1.bin" | sed 's/^ */0x/' >"$work/$1.words"
}

# same_length A B: the assembler made one word of every line.
same_length()
{
	if [ "$(wc -l <"$1")" -ne "$(wc -l <"$2")" ]; then
		echo "make-decode-cases.sh: $1 and $2 differ in length: a line is not one instruction" >&2
		exit 1
	fi
}

sed 's/ *\/\*.*//; s/.*/"&"/' "$work/refused.s" >"$work/refused.rows"
words accepted
words refused
same_length "$work/accepted.rows" "$work/accepted.words"
same_length "$work/refused.rows" "$work/refused.words"

echo "/* Generated by tests/unit/make-decode-cases.sh. */"
echo "static const struct accepted_case accepted_cases[] = {"
paste -d ' ' "$work/accepted.words" "$work/accepted.rows" | sed 's/^\(0x[0-9a-f]*\) \(.*\)$/\t{\1, \2},/'
echo "};"
echo "static const struct refused_case refused_cases[] = {"
paste -d ' ' "$work/refused.words" "$work/refused.rows" | sed 's/^\(0x[0-9a-f]*\) \(.*\)$/\t{\1, \2},/'
echo "};"
