#!/bin/sh
# run-on-qemu.sh DIR [NAME…]: runs the payloads built in DIR on plain QEMU's virt board, without hv, and prints `ok NAME` or
# `not ok NAME: why` for each, then `N passed, N failed`. Exit status 1 if one failed. This shows that what the payloads
# ask of hv is what QEMU's own board does.
#
# Where QEMU is not like hv: it gives an ELF file no DTB (no room for its 1 MiB below 0x40080000) and does not relocate a PIE
# linked at 0, so bootargs, memory and pie run as flat images. hang and wfi_forever must say that they start and never end.
# Three run only if they are named: chaos sets CNTP_CVAL_EL0 near 2^64, which QEMU's own timers do not survive
# (docs/LIMITS.md); lines counts on interrupts by instructions, which a board without -icount has not; standstill wants a
# way to die. Payloads for several CPUs have four, which QEMU runs by turns: with a thread for each, two CPU_ON that race
# for one CPU both succeed. smp_race may end without its race, which comes when the host likes.
set -eu
export LC_ALL=C
qemu=${QEMU:-qemu-system-aarch64}
bootargs='hvrec test=1 "quoted"'

run() { # FILE SECONDS
	case $1 in
	*/smp_off.elf) cpus= ;;
	*/smp_*) cpus='-smp 4 -accel tcg,thread=single' ;;
	*) cpus= ;;
	esac
	# shellcheck disable=SC2086 # words
	printf 'some bytes\r\200\001q' | timeout "$2" "$qemu" -M virt,gic-version=3 -cpu neoverse-n1 -m 128 -nic none \
		$cpus -rtc clock=vm -display none -monitor none -serial stdio -no-reboot -append "$bootargs" -kernel "$1" 2>&1
}

# The file to run: flat where QEMU needs it.
file_of() { # NAME
	case $1 in
	*.bin) echo "$dir/$1" ;;
	bootargs | memory | pie) echo "$dir/$1.bin" ;;
	*) echo "$dir/$1.elf" ;;
	esac
}

# Prints why the run was not as it should be, nothing if it was.
verdict() { # NAME STATUS OUTPUT
	case $1 in
	hang) want_status=124 want='hang: spinning' ;;
	wfi_forever) want_status=124 want='wfi_forever: sleeping' ;;
	*) want_status=0 want="PASS ${1%.bin}" ;;
	esac
	last=$(printf '%s\n' "$3" | tr -d '\r' | grep -avE 'warning: icount|terminating on signal' | tail -n 1)
	if [ "$1" = smp_race ] && [ "$last" = "FAIL smp_race: no fault came" ]; then
		return
	elif [ "$last" != "$want" ]; then
		echo "last line: ${last:-none}"
	elif [ "$2" != "$want_status" ]; then
		echo "exit status $2"
	elif [ "$1" = bootargs ] && ! printf '%s\n' "$3" | grep -aqxF "bootargs: $bootargs"; then
		echo "other bootargs than were given"
	elif [ "$1" = echo ] && ! printf '%s\n' "$3" | grep -aqx 'echo: bytes 14'; then
		echo "bytes of input lost"
	fi
}

if [ $# -lt 1 ] || [ ! -d "$1" ]; then
	echo "usage: run-on-qemu.sh DIR [NAME...]" >&2
	exit 1
fi
dir=$1
shift
if [ $# -eq 0 ]; then
	for file in "$dir"/*.elf; do
		name=$(basename "$file" .elf)
		case $name in
		chaos | lines | standstill) ;;
		*) set -- "$@" "$name" ;;
		esac
	done
	set -- "$@" console.bin
fi
passed=0 failed=0
for name; do
	case $name in
	hang | wfi_forever) seconds=2 ;;
	*) seconds=20 ;;
	esac
	status=0
	output=$(run "$(file_of "$name")" "$seconds") || status=$?
	why=$(verdict "$name" "$status" "$output")
	if [ -z "$why" ]; then
		echo "ok $name"
		passed=$((passed + 1))
	else
		echo "not ok $name: $why"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
