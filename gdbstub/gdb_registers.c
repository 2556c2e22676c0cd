/* The register table and the target description made from it. The types are the ones that gdb's manual names for
 * AArch64: v registers as unions of vectors, cpsr as flags (Arm ARM, SPSR_EL1). */
#include "gdbstub/gdb_registers.h"

enum gdb_feature { CORE, FPU, EL1, FEATURE_COUNT };

struct gdb_register {
	enum gdb_feature feature;
	uint32_t bits;
	const char *name, *type, *group;
};

#define GDB_REGISTER(feature, id, name, bits, type, group) {feature, bits, name, type, group},
static const struct gdb_register registers[GDB_REGISTER_COUNT] = {
#include "gdbstub/gdb_registers.def"
};
#undef GDB_REGISTER

static const char *const feature_names[FEATURE_COUNT] = {
	[CORE] = "org.gnu.gdb.aarch64.core",
	[FPU] = "org.gnu.gdb.aarch64.fpu",
	[EL1] = "org.hvrec.el1",
};

struct flag {
	const char *name;
	uint32_t low, high;
};

static const struct flag cpsr_flags[] = {
	{"SP", 0, 0},  {"EL", 2, 3},     {"nRW", 4, 4},  {"F", 6, 6},    {"I", 7, 7},     {"A", 8, 8},
	{"D", 9, 9},   {"SSBS", 12, 12}, {"IL", 20, 20}, {"SS", 21, 21}, {"PAN", 22, 22}, {"UAO", 23, 23},
	{"V", 28, 28}, {"C", 29, 29},    {"Z", 30, 30},  {"N", 31, 31},
};

/* Vectors of 128 bits, and the field of a union that shows each. */
struct vector {
	const char *field, *id, *type;
	uint32_t count;
};

static const struct vector vectors_d[] = {
	{"f", "v2d", "ieee_double", 2}, {"u", "v2u", "uint64", 2}, {"s", "v2i", "int64", 2}};
static const struct vector vectors_s[] = {
	{"f", "v4f", "ieee_single", 4}, {"u", "v4u", "uint32", 4}, {"s", "v4i", "int32", 4}};
static const struct vector vectors_h[] = {{"u", "v8u", "uint16", 8}, {"s", "v8i", "int16", 8}};
static const struct vector vectors_b[] = {{"u", "v16u", "uint8", 16}, {"s", "v16i", "int8", 16}};
static const struct vector vectors_q[] = {{"u", "v1u", "uint128", 1}, {"s", "v1i", "int128", 1}};

struct vector_union {
	const char *field, *id;
	const struct vector *vectors;
	size_t count;
};

#define VECTOR_UNION(field, id, vectors)                                                                               \
	{                                                                                                              \
		field, id, vectors, sizeof(vectors) / sizeof((vectors)[0])                                             \
	}
static const struct vector_union unions[] = {
	VECTOR_UNION("d", "vnd", vectors_d), VECTOR_UNION("s", "vns", vectors_s), VECTOR_UNION("h", "vnh", vectors_h),
	VECTOR_UNION("b", "vnb", vectors_b), VECTOR_UNION("q", "vnq", vectors_q),
};
enum { UNION_COUNT = sizeof unions / sizeof unions[0], FLAG_COUNT = sizeof cpsr_flags / sizeof cpsr_flags[0] };

size_t gdb_registers_bytes(uint32_t number)
{
	return registers[number].bits / 8;
}

static void describe_flags(struct text *text)
{
	text_format(text, "<flags id=\"cpsr_flags\" size=\"4\">");
	for (size_t i = 0; i < FLAG_COUNT; i++)
		text_format(text, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>", cpsr_flags[i].name, cpsr_flags[i].low,
			    cpsr_flags[i].high);
	text_format(text, "</flags>");
}

static void describe_union(struct text *text, const struct vector_union *of)
{
	for (size_t i = 0; i < of->count; i++)
		text_format(text, "<vector id=\"%s\" type=\"%s\" count=\"%u\"/>", of->vectors[i].id,
			    of->vectors[i].type, of->vectors[i].count);
	text_format(text, "<union id=\"%s\">", of->id);
	for (size_t i = 0; i < of->count; i++)
		text_format(text, "<field name=\"%s\" type=\"%s\"/>", of->vectors[i].field, of->vectors[i].id);
	text_format(text, "</union>");
}

static void describe_vectors(struct text *text)
{
	for (size_t i = 0; i < UNION_COUNT; i++)
		describe_union(text, &unions[i]);
	text_format(text, "<union id=\"aarch64v\">");
	for (size_t i = 0; i < UNION_COUNT; i++)
		text_format(text, "<field name=\"%s\" type=\"%s\"/>", unions[i].field, unions[i].id);
	text_format(text, "</union>");
}

static void describe_feature(struct text *text, enum gdb_feature feature)
{
	text_format(text, "<feature name=\"%s\">", feature_names[feature]);
	if (feature == CORE)
		describe_flags(text);
	if (feature == FPU)
		describe_vectors(text);
	for (uint32_t i = 0; i < GDB_REGISTER_COUNT; i++) {
		const struct gdb_register *reg = &registers[i];

		if (reg->feature != feature)
			continue;
		text_format(text, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"", reg->name, reg->bits,
			    reg->type, i);
		if (reg->group)
			text_format(text, " group=\"%s\"", reg->group);
		/* A function that gdb calls must not get its system registers put back behind the guest's back. */
		text_format(text, "%s/>", feature == EL1 ? " save-restore=\"no\"" : "");
	}
	text_format(text, "</feature>\n");
}

void gdb_registers_describe(struct text *text)
{
	text_format(text, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
			  "<target version=\"1.0\"><architecture>aarch64</architecture>\n");
	for (int feature = 0; feature < FEATURE_COUNT; feature++)
		describe_feature(text, (enum gdb_feature)feature);
	text_format(text, "</target>\n");
}
